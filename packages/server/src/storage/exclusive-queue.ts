import { DatabaseUnavailable } from './db.ts';

const LONGEST_WAIT = 15_000;

export type Queue = {
  <T>(work: () => Promise<T>): Promise<T>;
  close(work: () => Promise<void>): Promise<void>;
};

/**
 * One at a time, first come first served. Who waits too long is told so: usually somebody inside of a transaction uses the
 * database beside it, which with one connection would wait for ever.
 */
export function exclusiveQueue(longest = LONGEST_WAIT): Queue {
  let tail: Promise<unknown> = Promise.resolve();
  let closed = false;
  const enter = <T>(work: () => Promise<T>): Promise<T> => {
    let late = false;
    const turn = tail.then(() => {
      clearTimeout(timer);
      return late ? undefined : work();
    });
    tail = turn.catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        late = true;
        reject(
          new DatabaseUnavailable(
            'the database does not answer: its one connection was busy for too long',
          ),
        );
      }, longest).unref();
    });
    return Promise.race([turn as Promise<T>, timeout]); // undefined only when the time-out has rejected
  };
  const queue = <T>(work: () => Promise<T>): Promise<T> =>
    closed ? Promise.reject(new DatabaseUnavailable('the database is closed')) : enter(work);
  return Object.assign(queue, {
    close: (work: () => Promise<void>) => {
      closed = true;
      // However long it takes for the others.
      const turn = tail.then(work);
      tail = turn.catch(() => undefined);
      return turn;
    },
  });
}
