import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DatabaseUnavailable } from './db.ts';
import { failureOf, isRepeatable, isStalePlan } from './failures.ts';
import { repeat } from './transaction.ts';

const failed = (message: string, fields: object) => Object.assign(new Error(message), fields);

for (const [what, error] of [
  ['a refused connection', failed('', { code: 'ECONNREFUSED' })],
  ['a host without a name', failed('getaddrinfo', { code: 'ENOTFOUND' })],
  ['a connection lost in a statement', failed('Connection terminated unexpectedly', {})],
  ['no connection free in time', failed('timeout exceeded when trying to connect', {})],
  ['a network that swallows answers', failed('Query read timeout', {})],
  ['shutdown by the administrator', failed('terminating connection', { code: '57P01' })],
  ['a server that is starting', failed('the database system is starting up', { code: '57P03' })],
  ['too many connections', failed('sorry, too many clients already', { code: '53300' })],
  ['a full disk', failed('could not extend file', { code: '53100' })],
  ['a disk that fails', failed('could not read block', { code: '58030' })],
  ['a statement time-out', failed('canceling statement', { code: '57014' })],
  ['a lock time-out', failed('canceling statement due to lock timeout', { code: '55P03' })],
  ['a former primary after a failover', failed('read-only transaction', { code: '25006' })],
  ['a trap in WebAssembly', failed('unreachable', { name: 'RuntimeError' })],
] as const) {
  test(`${what} is DatabaseUnavailable, so that callers answer 503 and not 500`, () => {
    assert.ok(failureOf(error) instanceof DatabaseUnavailable);
  });
}

test('a statement that is wrong is not DatabaseUnavailable: trying again would not help', () => {
  for (const code of ['42601', '23505', '22P02', '40001', '0A000', 'XX000']) {
    assert.ok(!(failureOf(failed('no', { code })) instanceof DatabaseUnavailable), code);
  }
  assert.ok(
    !(
      failureOf(failed('could not obtain lock on row', { code: '55P03' })) instanceof
      DatabaseUnavailable
    ),
  );
});

test('a failure keeps code, constraint and table and drops all that may hold a secret', () => {
  const driver = failed('invalid input syntax for type uuid: "s3cret"', {
    code: '22P02',
    constraint: 'c',
    table: 't',
    detail: 'Key (token)=(s3cret) exists.',
    where: 's3cret',
    params: ['s3cret'],
    query: 'select s3cret',
  });
  const failure = failureOf(driver);
  assert.equal(Reflect.get(failure, 'code'), '22P02');
  assert.equal(Reflect.get(failure, 'constraint'), 'c');
  assert.equal(Reflect.get(failure, 'table'), 't');
  assert.equal(failure.message, 'invalid input syntax for type uuid');
  assert.ok(
    !JSON.stringify([
      failure,
      failure.message,
      failure.stack,
      failure.cause,
      Object.entries(failure),
    ]).includes('s3cret'),
  );
});

test('an error of somebody else, a file system code too, passes unchanged', () => {
  for (const error of [
    new TypeError('bug'),
    failed('denied', { code: 'EPERM' }),
    failed('no', { code: 'invalid_grant' }),
  ]) {
    assert.equal(failureOf(error), error);
  }
});

test('only deadlocks, serialization failures and stale plans are sent again', () => {
  assert.ok(
    isRepeatable(failed('', { code: '40P01' })) && isRepeatable(failed('', { code: '40001' })),
  );
  assert.ok(
    !isRepeatable(failed('', { code: '23505' })) && !isRepeatable(new DatabaseUnavailable('gone')),
  );
  assert.ok(isStalePlan(failed('cached plan must not change result type', { code: '0A000' })));
  assert.ok(
    !isStalePlan(failed('cannot alter type of a column used by a view', { code: '0A000' })),
  );
});

test('what loses against others is sent again, and whoever loses every time is told to come later: 503, never 500 (AS-89)', async () => {
  const losing = (losses: number, code = '40P01') => {
    let attempts = 0;
    return async () => {
      attempts += 1;
      if (attempts <= losses) throw failed('deadlock detected', { code });
      return attempts;
    };
  };
  assert.equal(await repeat(losing(2)), 3);
  for (const code of ['40P01', '40001'])
    await assert.rejects(repeat(losing(3, code)), DatabaseUnavailable);
  await assert.rejects(repeat(losing(1, '23505')), { code: '23505' });
});
