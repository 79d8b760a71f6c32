import type { Ctx } from '../runtime/context.ts';
import { equalBytes, sha256 } from '../runtime/hash.ts';
import { newSecret } from '../runtime/ids.ts';
import type { SecretRow } from '../runtime/secrets.ts';
import type {
  PasswordlessRequest,
  PasswordlessSecrets,
  PasswordlessType,
} from './passwordless.store.ts';
import type { PasswordlessSettings } from './passwordless-settings.ts';

const DIGITS = '0123456789';
/** Without letters and digits that look like others. */
const LETTERS_AND_DIGITS = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
const BYTES = 256;

/** What a mail carries, in clear. */
export type MailedSecrets = {
  readonly code: string | undefined;
  readonly linkToken: string | undefined;
};

/** A new code and link, as far as the type has them. */
export function newPasswordlessSecrets(
  ctx: Ctx,
  type: PasswordlessType,
  by: { readonly settings: PasswordlessSettings; readonly staticCode: string | undefined },
): MailedSecrets {
  const { codeLength, codeType } = by.settings;
  const alphabet = codeType === 'NUMERIC' ? DIGITS : LETTERS_AND_DIGITS;
  return {
    code: type === 'LINK' ? undefined : (by.staticCode ?? randomText(ctx, alphabet, codeLength)),
    linkToken: type === 'OTP' ? undefined : newSecret(ctx),
  };
}

/** How secrets lie in the database: as HMAC and hash, and encrypted where a later mail repeats them (AS-150). */
export function sealedSecrets(
  ctx: Ctx,
  id: string,
  by: { readonly secrets: MailedSecrets; readonly repeatable: boolean; readonly expiresAt: Date },
): PasswordlessSecrets {
  const { code, linkToken } = by.secrets;
  return {
    codeMac: code === undefined ? undefined : tryMacOf(ctx, id, code),
    linkHash: linkToken === undefined ? undefined : sha256(linkToken),
    secretsSealed: by.repeatable
      ? ctx.secrets.seal('mail-at-rest', rowOf(ctx, id), Buffer.from(JSON.stringify(by.secrets)))
      : undefined,
    expiresAt: by.expiresAt,
  };
}

/** The secrets of the mails before, for another one; undefined where they were not kept. */
export function keptSecrets(ctx: Ctx, request: PasswordlessRequest): MailedSecrets | undefined {
  const { id, secretsSealed } = request;
  if (!secretsSealed) return undefined;
  const text = Buffer.from(ctx.secrets.open('mail-at-rest', rowOf(ctx, id), secretsSealed));
  const kept: Partial<MailedSecrets> = JSON.parse(text.toString());
  return { code: kept.code, linkToken: kept.linkToken };
}

/** What is remembered of a try. */
export function tryMacOf(ctx: Ctx, id: string, typed: string): Uint8Array {
  return ctx.secrets.mac('sign-in-codes', macInput(ctx, id, typed));
}

/** Whether what was typed is the code, whichever operator key it was made with; in constant time. */
export function isCode(ctx: Ctx, request: PasswordlessRequest, typed: string): boolean {
  const { codeMac } = request;
  if (!codeMac) return false;
  const macs = ctx.secrets.macs('sign-in-codes', macInput(ctx, request.id, typed));
  return macs.some((mac) => equalBytes(mac, codeMac));
}

function macInput(ctx: Ctx, id: string, code: string): string {
  return JSON.stringify(['passwordless', ctx.environmentId, id, code]);
}

function rowOf(ctx: Ctx, id: string): SecretRow {
  return { table: 'passwordless_requests', environmentId: ctx.environmentId, id };
}

/** Every character is as likely as every other: bytes above the largest multiple of the alphabet are thrown away. */
function randomText(ctx: Ctx, alphabet: string, length: number): string {
  const fair = BYTES - (BYTES % alphabet.length);
  let text = '';
  while (text.length < length)
    for (const byte of ctx.random(length))
      if (byte < fair && text.length < length) text += alphabet[byte % alphabet.length];
  return text;
}
