import { randomBytes } from 'node:crypto';

/** The clock of the process. Everything else asks `ctx.now()`, which tests set. */
export function systemNow(): Date {
  return new Date();
}

/** Chance from the operating system. */
export function systemRandom(bytes: number): Uint8Array {
  return new Uint8Array(randomBytes(bytes));
}
