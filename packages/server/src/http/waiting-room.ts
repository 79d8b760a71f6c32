/** A place for one request that waits; given back with `leave`. */
export type Seat = {
  /** Resolves when the key is woken, the time is over (in milliseconds), the seat was left or the room closed. */
  wait(key: string, milliseconds: number): Promise<void>;
  leave(): void;
};

export type WaitingRoom = {
  /** A seat, or nothing when this network or the room has no more, or the room is closed. */
  enter(network: string): Seat | undefined;
  /** Wakes who waits for the key a moment later, once for everything that happens until then; without a key, everybody. */
  wake(key: string | undefined): void;
  /** Ends all waiting at once and lets nobody in any more. */
  close(): void;
  readonly isOpen: boolean;
};

export type WaitingRoomLimits = {
  /** Requests of one network that may wait at the same time. */
  readonly perNetwork: number;
  readonly total: number;
  /** What happens in this time after a first call is one waking, in milliseconds. */
  readonly gatherMs: number;
};

/** Where long polls wait: a timer and an entry in a set for each, and nothing else. */
export function createWaitingRoom({ perNetwork, total, gatherMs }: WaitingRoomLimits): WaitingRoom {
  const waiting = new Map<string, Set<() => void>>();
  const seats = new Map<string, number>();
  const wakings = new Map<string, NodeJS.Timeout>();
  let taken = 0;
  let open = true;

  const wakeNow = (key: string | undefined): void => {
    const sets = key === undefined ? [...waiting.values()] : [waiting.get(key) ?? []];
    for (const set of sets) for (const stop of [...set]) stop();
  };

  const giveBack = (network: string): void => {
    taken -= 1;
    const left = (seats.get(network) ?? 1) - 1;
    if (left === 0) seats.delete(network);
    else seats.set(network, left);
  };

  const seatFor = (network: string): Seat => {
    let seated = true;
    let stopWaiting: (() => void) | undefined;
    return {
      wait: (key, milliseconds) =>
        new Promise((done) => {
          if (!seated || !open) {
            done();
            return;
          }
          const set = waiting.get(key) ?? new Set();
          waiting.set(key, set);
          const timer = setTimeout(() => stop(), milliseconds);
          const stop = (): void => {
            clearTimeout(timer);
            set.delete(stop);
            if (set.size === 0 && waiting.get(key) === set) waiting.delete(key);
            done();
          };
          set.add(stop);
          stopWaiting = stop;
        }),
      leave: () => {
        if (!seated) return;
        seated = false;
        stopWaiting?.();
        giveBack(network);
      },
    };
  };

  return {
    enter: (network) => {
      const used = seats.get(network) ?? 0;
      if (!open || taken >= total || used >= perNetwork) return undefined;
      taken += 1;
      seats.set(network, used + 1);
      return seatFor(network);
    },
    wake: (key) => {
      const name = key ?? '';
      if (!open || wakings.has(name)) return;
      const timer = setTimeout(() => {
        wakings.delete(name);
        wakeNow(key);
      }, gatherMs);
      wakings.set(name, timer.unref());
    },
    close: () => {
      open = false;
      for (const timer of wakings.values()) clearTimeout(timer);
      wakings.clear();
      wakeNow(undefined);
    },
    get isOpen() {
      return open;
    },
  };
}
