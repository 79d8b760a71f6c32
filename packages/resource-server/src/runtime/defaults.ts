import { worksInBackground } from './timers.ts';

/** What happened, for the operator. Never contains a token; ids come from tokens and are cut and cleaned (RS-29). */
export type GuardEvent = {
  readonly level: 'warn' | 'info';
  /** Stable name, such as `token_refused` or `resource_not_endpoint`. */
  readonly event: string;
  readonly message: string;
  readonly reason?: string;
  readonly tokenId?: string;
  readonly subject?: string;
  readonly clientId?: string;
};

export type Log = (event: GuardEvent) => void;
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Everything this package takes from outside of itself: time, the network and a place for messages. */
export type Runtime = {
  readonly now: () => Date;
  /** The same in milliseconds since 1970, for what is asked with each request. */
  readonly nowMs: () => number;
  readonly fetch: Fetch;
  readonly log: Log;
  /** A number from 0 up to 1, to spread what many processes would do at once. Never a secret. */
  readonly random: () => number;
  /** Whether work may go on between requests. */
  readonly background: boolean;
};

/** Warnings go to the console; refusals are silent unless a `log` is given, because a stranger can cause any number of them. */
function logToConsole(event: GuardEvent): void {
  if (event.level === 'warn') console.warn(`gatewarden: ${event.message}`);
}

/** A stranger can cause messages, so a log that fails, at once or later, must change no answer and end no process. */
function harmless(log: Log): Log {
  return (event) => {
    try {
      const told: unknown = log(event); // an async function is a log too
      if (told instanceof Promise) told.catch(() => undefined);
    } catch {
      // There is nowhere left to say it.
    }
  };
}

/** Fills in the clock, the network and the log of the process where none are given. */
export function runtimeOf(given: {
  readonly now?: () => Date;
  readonly fetch?: Fetch;
  readonly log?: Log;
  readonly background?: boolean;
}): Runtime {
  const { now } = given;
  return {
    now: now ?? (() => new Date()),
    nowMs: now ? () => now().getTime() : () => Date.now(),
    fetch: given.fetch ?? ((url, init) => fetch(url, init)),
    log: given.log ? harmless(given.log) : logToConsole,
    random: () => Math.random(),
    background: given.background ?? worksInBackground(),
  };
}
