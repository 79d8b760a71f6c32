import { crc32 } from 'node:zlib';
import type { App } from '../runtime/context.ts';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PREFIX = 'gwk_';
const SECRET_BYTES = 32;
/** 62^43 > 2^256, and 62^6 > 2^32. */
const SECRET_DIGITS = 43;
const CHECK_DIGITS = 6;
const FORM = new RegExp(`^${PREFIX}[0-9A-Za-z]{${SECRET_DIGITS + CHECK_DIGITS}}$`);

/** A new key: the prefix, 256 random bits and check digits, both in base 62. A double click selects the whole of it. */
export function newApiKey(app: Pick<App, 'random'>): string {
  const chance = BigInt(`0x${Buffer.from(app.random(SECRET_BYTES)).toString('hex')}`);
  const key = `${PREFIX}${base62(chance, SECRET_DIGITS)}`;
  return `${key}${checkDigits(key)}`;
}

/**
 * Whether a text can be one of our keys. For scanners of leaked secrets: the check digits rule out nearly everything that
 * only looks like one, without asking anybody.
 */
export function isApiKey(text: string): boolean {
  if (!FORM.test(text)) return false;
  const end = text.length - CHECK_DIGITS;
  return checkDigits(text.slice(0, end)) === text.slice(end);
}

function checkDigits(key: string): string {
  return base62(BigInt(crc32(key)), CHECK_DIGITS);
}

function base62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest /= 62n)
    text = DIGITS[Number(rest % 62n)] + text;
  return text;
}
