import { signInUseCases } from '../email/email-use-cases.ts';
import { queueMail } from '../email/mails.ts';
import { templatedMail } from '../email/templated-mail.ts';
import { environmentOf } from '../environments/environments.ts';
import { recordFor } from '../events/events.ts';
import { ApiError } from '../http/api-error.ts';
import { signInMail } from '../pages/mails.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { newSecret } from '../runtime/ids.ts';
import type { EmailAddress } from '../users/email-address.ts';
import {
  insertPasswordlessRequest,
  lockPasswordlessRequest,
  noteAnotherMail,
  type PasswordlessRequest,
  type PasswordlessTemplate,
  type PasswordlessType,
} from './passwordless.store.ts';
import {
  keptSecrets,
  type MailedSecrets,
  newPasswordlessSecrets,
  sealedSecrets,
} from './passwordless-secrets.ts';
import { type PasswordlessSettings, passwordlessSettings } from './passwordless-settings.ts';
import { countMail } from './sign-in-limits.ts';
import { testUserCodeOfApplication } from './test-users.ts';

/** Different codes that may be tried for one request (AS-147). */
export const MOST_TRIES = 5;

export type NewPasswordlessRequest = {
  readonly address: EmailAddress;
  readonly template: PasswordlessTemplate | undefined;
  readonly magiclinkAuthUri: string | undefined;
  readonly state: string | undefined;
  /** Seconds; absent: the environment's. */
  readonly expiresIn: number | undefined;
  readonly templateVariables: Readonly<Record<string, string>>;
};

/** What the application learns of a mail. */
export type Sent = {
  readonly kind: 'sent';
  readonly id: string;
  readonly expiresAt: Date;
  readonly expiresIn: number;
  readonly type: PasswordlessType;
};

/**
 * Mails a code, a link or both for an application (FSA-31). Addresses are all alike: nobody is looked up. A refused call has
 * counted and changed nothing.
 *
 * @throws {ApiError} resource_exhausted: too many mails to this address
 */
export async function sendPasswordless(
  ctx: Ctx,
  wanted: NewPasswordlessRequest,
): Promise<Sent | { readonly kind: 'no-link-uri' }> {
  const settings = await passwordlessSettings(ctx);
  const { type } = settings;
  const { address, ...members } = wanted;
  if (type !== 'OTP' && wanted.magiclinkAuthUri === undefined) return { kind: 'no-link-uri' };
  const { email, key: emailKey } = address;
  const id = newSecret(ctx);
  const expiresIn = wanted.expiresIn ?? settings.expiresIn;
  const request = { ...members, id, email, emailKey, type, expiresIn };
  return await ctx.db.transaction(async (tx): Promise<Sent> => {
    const inside = withDb(ctx, tx);
    await countOrRefuse(inside, emailKey);
    const now = ctx.now();
    const expiresAt = new Date(now.getTime() + expiresIn * 1000);
    const secrets = await secretsFor(inside, request, settings);
    const sealed = sealedSecrets(ctx, id, {
      secrets,
      repeatable: !settings.regenerate,
      expiresAt,
    });
    const { environmentId } = ctx;
    await insertPasswordlessRequest(tx, { ...request, ...sealed, environmentId, now });
    await mail(inside, request, { secrets, expiresAt });
    return { kind: 'sent', id, expiresAt, expiresIn, type };
  });
}

/**
 * Mails once more for a request that is alive, with the same code and link or, where the environment says so, with new ones.
 * Tries go on being counted.
 *
 * @throws {ApiError} resource_exhausted: too many mails to this address
 */
export async function resendPasswordless(
  ctx: Ctx,
  id: string,
): Promise<
  Sent | { readonly kind: 'unknown' } | { readonly kind: 'over' } | { readonly kind: 'tried-out' }
> {
  const settings = await passwordlessSettings(ctx);
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const request = await lockPasswordlessRequest(tx, { environmentId, id });
    if (!request) return { kind: 'unknown' } as const;
    const now = ctx.now();
    if (request.usedAt || request.expiresAt <= now) return { kind: 'over' } as const;
    if (request.attempts >= MOST_TRIES) return { kind: 'tried-out' } as const;
    await countOrRefuse(inside, request.emailKey);
    const kept = settings.regenerate ? undefined : keptSecrets(inside, request);
    const secrets = kept ?? (await secretsFor(inside, request, settings));
    const { expiresIn, type } = request;
    const expiresAt = kept ? request.expiresAt : new Date(now.getTime() + expiresIn * 1000);
    const repeatable = !settings.regenerate;
    const sealed = kept ? undefined : sealedSecrets(ctx, id, { secrets, repeatable, expiresAt });
    await noteAnotherMail(tx, { environmentId, id, secrets: sealed });
    await mail(inside, request, { secrets, expiresAt });
    return { kind: 'sent', id, expiresAt, expiresIn, type } as const;
  });
}

/** @throws {ApiError} resource_exhausted: the transaction ends, and with it the count */
async function countOrRefuse(ctx: Ctx, emailKey: string): Promise<void> {
  const budget = await countMail(ctx, emailKey);
  if (budget.kind === 'free') return;
  throw new ApiError(
    'resource_exhausted',
    'RATE_LIMITED',
    'too many e-mails to this address: wait before you send another',
    { retryAfter: budget.seconds },
  );
}

type Mailed = Pick<
  PasswordlessRequest,
  'id' | 'email' | 'emailKey' | 'type' | 'template' | 'magiclinkAuthUri' | 'templateVariables'
>;

async function secretsFor(
  ctx: Ctx,
  request: Mailed,
  settings: PasswordlessSettings,
): Promise<MailedSecrets> {
  const staticCode = await staticCodeOf(ctx, request);
  return newPasswordlessSecrets(ctx, request.type, { settings, staticCode });
}

/** Who has nothing but a link needs the mail. */
async function staticCodeOf(
  ctx: Ctx,
  { type, emailKey }: Pick<Mailed, 'type' | 'emailKey'>,
): Promise<string | undefined> {
  return type === 'LINK' ? undefined : await testUserCodeOfApplication(ctx, emailKey);
}

async function mail(
  ctx: Ctx,
  request: Mailed,
  by: { secrets: MailedSecrets; expiresAt: Date },
): Promise<void> {
  const { settings, displayName } = await environmentOf(ctx);
  const { code, linkToken } = by.secrets;
  const link = linkToken && linkOf(request.magiclinkAuthUri, linkToken);
  const left = by.expiresAt.getTime() - ctx.now().getTime();
  const app = settings.operatorName ?? displayName;
  const minutes = Math.max(1, Math.floor(left / 60_000));
  const builtIn = signInMail({
    locale: 'en',
    app,
    code,
    link,
    minutes,
    reference: ctx.requestId,
  });
  const values = {
    otp: code,
    link,
    minutes,
    user_email: request.email,
    app_name: app,
    app_support_email: settings.supportContact,
    custom: request.templateVariables,
  };
  const useCases = signInUseCases({
    code: code !== undefined,
    link: link !== undefined,
    signUp: request.template === 'SIGNUP',
  });
  const text = await templatedMail(ctx, { useCases, values }, builtIn);
  const isTest = (await staticCodeOf(ctx, request)) !== undefined;
  const { expiresAt } = by;
  await queueMail(ctx, { to: request.email, mail: text, code, link, expiresAt, send: !isTest });
  await recordFor(ctx, {
    type: 'passwordless.sent',
    data: { kind: request.type, sent: !isTest },
  });
}

function linkOf(uri: string | undefined, token: string): string | undefined {
  if (uri === undefined) return undefined;
  const url = new URL(uri);
  url.searchParams.set('link_token', token);
  return url.href;
}
