import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWaitingRoom } from './waiting-room.ts';

const LIMITS = { perNetwork: 2, total: 3, gatherMs: 20 };

/** Milliseconds until the promise resolves. */
async function took(work: Promise<void>): Promise<number> {
  const from = performance.now();
  await work;
  return performance.now() - from;
}

test('who waits is woken by its key, by all keys, by time, and by leaving (AS-124)', async () => {
  const room = createWaitingRoom({ ...LIMITS, total: 10, perNetwork: 10 });
  const wait = (key: string, milliseconds = 5000): Promise<number> => {
    const seat = room.enter('one');
    assert.ok(seat);
    return took(seat.wait(key, milliseconds).finally(seat.leave));
  };
  const [a, b, short] = [wait('a'), wait('b', 400), wait('a', 30)];
  room.wake('a');
  room.wake('a');
  assert.ok((await a) < 300);
  assert.ok((await short) < 300);
  assert.ok((await b) >= 390, 'the key of somebody else wakes nobody');
  const all = [wait('a'), wait('b')];
  room.wake(undefined);
  for (const one of all) assert.ok((await one) < 300);
  const seat = room.enter('one');
  const left = took(seat?.wait('a', 5000) ?? Promise.resolve());
  seat?.leave();
  assert.ok((await left) < 300);
  assert.ok((await took(seat?.wait('a', 5000) ?? Promise.resolve())) < 100, 'it was given back');
});

test('seats are limited for each network and in total, and come back once (AS-124)', () => {
  const room = createWaitingRoom(LIMITS);
  const first = room.enter('one');
  assert.ok(first && room.enter('one'));
  assert.equal(room.enter('one'), undefined);
  const other = room.enter('two');
  assert.ok(other);
  assert.equal(room.enter('three'), undefined);
  first.leave();
  first.leave();
  assert.ok(room.enter('one'));
  assert.equal(room.enter('three'), undefined);
});

test('a room that closes lets everybody go at once and nobody in (AS-142)', async () => {
  const room = createWaitingRoom(LIMITS);
  const waiting = took(room.enter('one')?.wait('a', 5000) ?? Promise.resolve());
  room.wake('b');
  room.close();
  assert.ok((await waiting) < 100);
  assert.equal(room.isOpen, false);
  assert.equal(room.enter('two'), undefined);
});
