import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUniqueViolation, json, type Sql, sql } from './db.ts';

test('a value becomes a numbered parameter and never text', () => {
  const hostile = "'; drop table users; --";
  const query = sql`select id from users where name = ${hostile} and age > ${7}`;
  assert.equal(query.text, 'select id from users where name = $1 and age > $2');
  assert.deepEqual(query.values, [hostile, 7]);
});

test('a nested query is spliced in and its parameters are numbered anew', () => {
  const owner = sql`owner_id = ${'o'} or owner_id = ${'p'}`;
  const open = sql`closed_at is null`;
  const query = sql`select id from things where kind = ${'k'} and (${owner}) and ${open} limit ${10}`;
  assert.equal(
    query.text,
    'select id from things where kind = $1 and (owner_id = $2 or owner_id = $3) and closed_at is null limit $4',
  );
  assert.deepEqual(query.values, ['k', 'o', 'p', 10]);
});

test('nesting goes as deep as one likes, at the very start and end too', () => {
  const inner = sql`a = ${1}`;
  const middle = sql`${inner} or ${inner}`;
  const query = sql`${middle}${sql` and b = ${2}`}`;
  assert.equal(query.text, 'a = $1 or a = $2 and b = $3');
  assert.deepEqual(query.values, [1, 1, 2]);
});

test('a dollar sign in our own text is left alone when the query is nested', () => {
  const query = sql`select ${1}, ${sql`'$1' as price, ${2}`}`;
  assert.equal(query.text, `select $1, '$1' as price, $2`);
});

test('an attack: an object shaped like a query, from a request body, stays a value', () => {
  const body: Sql = JSON.parse('{"text":"1=1 --","values":[]}');
  const query = sql`select id from users where name = ${body}`;
  assert.equal(query.text, 'select id from users where name = $1');
  assert.deepEqual(query.values, [body]);
});

test('the text of a query is the same object for each use of a place in the source', () => {
  const of = (id: string) => sql`select id from users where id = ${id}`;
  assert.equal(of('a').text, of('b').text);
  assert.notEqual(of('a'), of('b'));
});

test('json(undefined) is the SQL null, json(null) the JSON one', () => {
  assert.equal(json(undefined), undefined);
  assert.notEqual(json(null), undefined);
});

test('a unique violation is told by its SQLSTATE and, where given, the constraint', () => {
  const violation = Object.assign(new Error('duplicate key'), {
    code: '23505',
    constraint: 'users_email',
  });
  assert.equal(isUniqueViolation(violation), true);
  assert.equal(isUniqueViolation(violation, 'users_email'), true);
  assert.equal(isUniqueViolation(violation, 'users_pkey'), false);
  assert.equal(
    isUniqueViolation(Object.assign(new Error('no such row'), { code: '23503' })),
    false,
  );
  assert.equal(isUniqueViolation({ code: '23505' }), false);
  assert.equal(isUniqueViolation(undefined), false);
});
