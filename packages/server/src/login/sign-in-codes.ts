import { signInUseCases } from '../email/email-use-cases.ts';
import { queueMail } from '../email/mails.ts';
import { templatedMail } from '../email/templated-mail.ts';
import { environmentOf } from '../environments/environments.ts';
import { maySignUp } from '../environments/sign-up-rules.ts';
import { recordFor } from '../events/events.ts';
import { signInMail } from '../pages/mails.ts';
import type { Locale } from '../pages/messages.ts';
import { signInTo } from '../pages/purpose.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { equalBytes, sha256 } from '../runtime/hash.ts';
import { newSecret } from '../runtime/ids.ts';
import type { SecretRow } from '../runtime/secrets.ts';
import type { EmailAddress } from '../users/email-address.ts';
import { findUserByEmail, type User } from '../users/users.store.ts';
import { deviceName } from './device-name.ts';
import { type LoginRequest, setLoginEmail } from './login-requests.store.ts';
import { factsOf } from './login-requests.ts';
import {
  countTry,
  findNewestCode,
  findOlderCodes,
  type LastOutcome,
  noteOutcome,
  replaceCode,
  type SignInCode,
  TRIES_PER_CODE,
} from './sign-in-codes.store.ts';
import { countMail, countTryOfAddress, countTryOfNetwork, triesUsedUp } from './sign-in-limits.ts';

/** How long a code works, in minutes (AS-147). */
export const CODE_MINUTES = 10;

export type CodeRequest = {
  readonly address: EmailAddress;
  /** From the sign-up page; used if this code makes a new person. */
  readonly displayName: string;
  /** Of a test user, who gets no mail. */
  readonly staticCode: string | undefined;
  readonly locale: Locale;
  readonly resend: boolean;
};

/**
 * Makes a new code and link for an address and queues their mail. The person sees the same page whatever happens: address
 * known or not, sign-up closed, budgets used up. Only then no mail goes out, and what was sent before keeps working.
 *
 * @returns false when the request is over
 */
export async function requestCode(
  ctx: Ctx,
  login: LoginRequest,
  wanted: CodeRequest,
): Promise<boolean> {
  const { environmentId, db } = ctx;
  const { address } = wanted;
  const device = { emailKey: address.key, browserHash: login.browserHash };
  const budget = (await triesUsedUp(ctx, device))
    ? ({ kind: 'budget' } as const)
    : await countMail(ctx, address.key);
  const user = await findUserByEmail(db, { environmentId, emailKey: address.key });
  const { settings } = await environmentOf(ctx);
  const mayHaveMail = user !== undefined || maySignUp(settings, address.key);
  const waitUntil =
    budget.kind === 'wait' ? new Date(ctx.now().getTime() + budget.seconds * 1000) : undefined;
  if (budget.kind !== 'free') {
    const pending = await findNewestCode(db, { environmentId, loginRequestId: login.id });
    if (pending && !pending.over && pending.emailKey === address.key) {
      const outcome = budget.kind;
      await noteOutcome(db, { environmentId, id: pending.id, outcome, waitUntil });
      return true;
    }
  }
  const send = budget.kind === 'free' && mayHaveMail && wanted.staticCode === undefined;
  const lastOutcome = budget.kind === 'free' ? resentIf(wanted.resend) : budget.kind;
  const to = user?.email ?? address.email;
  return await addCode(ctx, login, wanted, { send, to, lastOutcome, waitUntil, user });
}

function resentIf(resend: boolean): LastOutcome | undefined {
  return resend ? 'resent' : undefined;
}

type NewMail = {
  send: boolean;
  to: string;
  lastOutcome: LastOutcome | undefined;
  waitUntil: Date | undefined;
  user: User | undefined;
};

async function addCode(
  ctx: Ctx,
  login: LoginRequest,
  wanted: CodeRequest,
  mail: NewMail,
): Promise<boolean> {
  const { environmentId } = ctx;
  const { address } = wanted;
  const now = ctx.now();
  const id = newSecret(ctx, 16);
  const code = (mail.lastOutcome !== 'budget' && wanted.staticCode) || sixDigits(ctx);
  const linkToken = newSecret(ctx);
  const link = `${ctx.issuer}/login/link/${linkToken}`;
  const expiresAt = new Date(now.getTime() + CODE_MINUTES * 60_000);
  const app = signInTo(login.details.purpose);
  const builtIn = signInMail({
    locale: wanted.locale,
    app,
    code,
    link,
    minutes: CODE_MINUTES,
    requester: { device: deviceName(ctx.network.userAgent) },
    reference: ctx.requestId,
  });
  const { settings } = await environmentOf(ctx);
  const values = {
    otp: code,
    link,
    minutes: CODE_MINUTES,
    user_email: mail.to,
    // What somebody typed on the sign-up page is not sent to an address that may be somebody else's.
    user_name: mail.user?.name,
    app_name: app,
    app_support_email: settings.supportContact,
  };
  const useCases = signInUseCases({ code: true, link: true, signUp: mail.user === undefined });
  const text = await templatedMail(ctx, { useCases, values }, builtIn);
  const row = {
    environmentId,
    id,
    loginRequestId: login.id,
    browserHash: login.browserHash,
    email: address.email,
    emailKey: address.key,
    displayName: wanted.displayName,
    codeMac: ctx.secrets.mac('sign-in-codes', macInput(environmentId, id, code)),
    linkHash: sha256(linkToken),
    pairingCodeSealed: ctx.secrets.seal(
      'mail-at-rest',
      pairingRow(environmentId, id),
      Buffer.from(code),
    ),
    sent: mail.send,
    lastOutcome: mail.lastOutcome,
    waitUntil: mail.waitUntil,
    now,
    expiresAt,
    address: ctx.network.address,
    userAgent: ctx.network.userAgent,
  };
  return await ctx.db.transaction(async (tx) => {
    const { email, key: emailKey } = address;
    if (!(await setLoginEmail(tx, { environmentId, id: login.id, now, email, emailKey }))) {
      return false;
    }
    await replaceCode(tx, row);
    const { to, send } = mail;
    await queueMail(withDb(ctx, tx), { to, send, mail: text, code, link, expiresAt });
    await recordFor(withDb(ctx, tx), {
      type:
        wanted.staticCode === undefined
          ? 'sign_in.code_requested'
          : 'sign_in.test_user_mail_suppressed',
      ...eventFacts(login),
      data: { sent: mail.send },
    });
    return true;
  });
}

export type TryOutcome =
  | { readonly kind: 'verified'; readonly code: SignInCode }
  /** Not this time; the page says why when it is read again. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** There is no code to try: used, or never asked for. */
  | { readonly kind: 'none' };

/**
 * Tries a code. Each try is counted before anything is compared: against the network, the address, and by one conditional
 * UPDATE against the code itself (AS-147).
 *
 * @throws {PageError} too-many-requests: the network's budget is used up
 */
export async function tryCode(ctx: Ctx, login: LoginRequest, typed: string): Promise<TryOutcome> {
  const { environmentId, db } = ctx;
  const of = { environmentId, loginRequestId: login.id };
  const pending = await findNewestCode(db, of);
  if (!pending || pending.over) return { kind: 'none' };
  await countTryOfNetwork(ctx, factsOf(login));
  const device = { emailKey: pending.emailKey, browserHash: login.browserHash };
  if (!(await countTryOfAddress(ctx, device))) {
    await noteOutcome(db, { environmentId, id: pending.id, outcome: 'budget' });
    return await refused(ctx, login, 'address-budget');
  }
  const code = await countTry(db, { ...of, id: pending.id, now: ctx.now() });
  if (!code) return await refused(ctx, login, reasonOf(ctx, pending));
  if (matches(ctx, code, typed)) return { kind: 'verified', code };
  const older = await findOlderCodes(db, of);
  if (older.some((one) => matches(ctx, one, typed))) {
    await noteOutcome(db, { environmentId, id: code.id, outcome: 'older' });
    return await refused(ctx, login, 'older-code');
  }
  return await refused(ctx, login, 'wrong-code');
}

async function refused(ctx: Ctx, login: LoginRequest, reason: string): Promise<TryOutcome> {
  await recordFor(ctx, {
    type: 'sign_in.code_refused',
    outcome: 'failure',
    reason,
    ...eventFacts(login),
  });
  return { kind: 'refused', reason };
}

function reasonOf(ctx: Ctx, pending: SignInCode): string {
  if (pending.expiresAt.getTime() <= ctx.now().getTime()) return 'expired';
  return pending.attempts >= TRIES_PER_CODE ? 'code-used-up' : 'wrong-code';
}

/** The six digits that a link shows in another browser, to be typed where the sign-in was started. */
export function pairingCode(ctx: Ctx, code: SignInCode): string | undefined {
  const sealed = code.pairingCodeSealed;
  if (!sealed) return undefined;
  return Buffer.from(
    ctx.secrets.open('mail-at-rest', pairingRow(ctx.environmentId, code.id), sealed),
  ).toString();
}

export function eventFacts(login: LoginRequest) {
  const { flowId, clientId, mcpServerId } = login;
  return { flowId, clientId, mcpServerId };
}

function matches(ctx: Ctx, code: SignInCode, typed: string): boolean {
  const input = macInput(ctx.environmentId, code.id, typed);
  return ctx.secrets.macs('sign-in-codes', input).some((mac) => equalBytes(mac, code.codeMac));
}

function macInput(environmentId: string, id: string, code: string): string {
  return JSON.stringify([environmentId, id, code]);
}

function pairingRow(environmentId: string, id: string): SecretRow {
  return { table: 'sign_in_codes', environmentId, id };
}

const CODES = 1_000_000;
/** The largest multiple of a million in 32 bits: what lies above would make small codes likelier. */
const FAIR = Math.floor(2 ** 32 / CODES) * CODES;

function sixDigits(ctx: Ctx): string {
  for (;;) {
    const [a = 0, b = 0, c = 0, d = 0] = ctx.random(4);
    const number = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    if (number < FAIR) return String(number % CODES).padStart(6, '0');
  }
}
