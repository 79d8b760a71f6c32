import type { App } from './context.ts';

const RANDOM_BITS = 22n;

/**
 * A new id: the prefix, an underscore, and 18 or 19 decimal digits made of 41 bits of milliseconds and 22 random bits.
 * Two ids of the same millisecond can collide; whoever inserts one retries on conflict.
 */
export function newId(app: Pick<App, 'now' | 'random'>, prefix: string): string {
  const bytes = app.random(3);
  const chance =
    (BigInt(bytes[0] ?? 0) << 16n) | (BigInt(bytes[1] ?? 0) << 8n) | BigInt(bytes[2] ?? 0);
  const digits =
    (BigInt(app.now().getTime()) << RANDOM_BITS) | (chance & ((1n << RANDOM_BITS) - 1n));
  return `${prefix}_${digits}`;
}

/** Whether a value has the form of one of our ids with this prefix. */
export function isId(value: string, prefix: string): boolean {
  return (
    value.length <= 32 &&
    value.startsWith(`${prefix}_`) &&
    /^[0-9]{15,19}$/.test(value.slice(prefix.length + 1))
  );
}

/** A random secret of 256 bits (or as many bytes as asked), base64url without padding. */
export function newSecret(app: Pick<App, 'random'>, bytes = 32): string {
  return Buffer.from(app.random(bytes)).toString('base64url');
}
