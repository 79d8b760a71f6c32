import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { DatabaseUnavailable } from './db.ts';
import { exclusiveQueue } from './exclusive-queue.ts';

test('work goes one at a time, first come first served, and a failure holds up nobody', async () => {
  const queue = exclusiveQueue();
  let running = 0;
  const order: number[] = [];
  const results = await Promise.allSettled(
    [0, 1, 2, 3].map((number) =>
      queue(async () => {
        assert.equal(++running, 1);
        await pause(5 - number);
        order.push(number);
        running--;
        if (number === 1) throw new Error('this one only');
      }),
    ),
  );
  assert.deepEqual(order, [0, 1, 2, 3]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
});

test('who waits for itself is refused instead of waiting for ever, and what gave up waiting never runs', async () => {
  const queue = exclusiveQueue(20);
  let ran = false;
  const outer = queue(() =>
    queue(async () => {
      ran = true;
    }),
  );
  await assert.rejects(outer, DatabaseUnavailable);
  assert.equal(await queue(async () => 'free again'), 'free again');
  assert.equal(ran, false);
});

test('closing waits for what came before, however long, and refuses what comes after', async () => {
  const queue = exclusiveQueue(10);
  const events: string[] = [];
  const first = queue(async () => {
    await pause(40);
    events.push('work');
  });
  const closed = queue.close(async () => {
    events.push('closed');
  });
  await assert.rejects(
    queue(async () => 1),
    DatabaseUnavailable,
  );
  await Promise.all([first, closed]);
  assert.deepEqual(events, ['work', 'closed']);
});
