import type { ApiTokenService } from '@gatewarden/contract/scalekit/v1/tokens/tokens_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import { noSuchOrganization } from '../organizations/organization-outcome.ts';
import { findOrganization } from '../organizations/organizations.store.ts';
import type { Ctx } from '../runtime/context.ts';
import { countApiKeys, listApiKeyPage } from './api-keys.store.ts';
import {
  type ApiKey,
  changeApiKey,
  createApiKey,
  MOST_CLAIMS,
  revokeApiKey,
  validateApiKey,
} from './api-keys.ts';

/** Callers of this version and later send all claims when they change some; before it they sent those to add (contract). */
const REPLACING_VERSION = '20260716';
/** Far more than a key has. */
const LONGEST_KEY = 512;
/** 9999-12-31T23:59:59Z, the last moment that a timestamp can be. */
const LAST_SECOND = 253_402_300_799n;

/** API keys of organizations and their members (FSA-78). */
export const apiKeysRpc: Slice<typeof ApiTokenService> = {
  async createToken(ctx, { token }) {
    if (!token) throw invalidField('token', 'is missing', 'required');
    const { organizationId, description, customClaims } = token;
    checkId('token.organization_id', organizationId, 'org');
    const userId = token.userId || undefined;
    if (userId !== undefined) checkId('token.user_id', userId, 'usr');
    checkClaims('token.', description, customClaims);
    const expiresAt = token.expiry && expiryOf(ctx, token.expiry);
    const input = { organizationId, userId, description, customClaims, expiresAt };
    const created = await createApiKey(ctx, input);
    if (!created) throw await noSuchHolder(ctx, organizationId);
    const { key, info } = created;
    return { token: key, tokenId: info.id, tokenInfo: messageOf(info) };
  },

  async validateToken(ctx, { token }) {
    checkGiven(token);
    const info = await validateApiKey(ctx, token);
    if (!info) throw noSuchKey();
    return { tokenInfo: messageOf(info) };
  },

  async invalidateToken(ctx, { token }) {
    checkGiven(token);
    if (!(await revokeApiKey(ctx, token))) throw noSuchKey();
    return {};
  },

  async listTokens(ctx, request) {
    const { organizationId } = request;
    checkId('organization_id', organizationId, 'org');
    const userId = request.userId || undefined;
    if (userId !== undefined) checkId('user_id', userId, 'usr');
    const { environmentId } = ctx;
    if (!(await findOrganization(ctx.db, { environmentId, key: { id: organizationId } })))
      throw noSuchOrganization();
    const list = JSON.stringify(['api-keys', organizationId, userId]);
    const page = readPage(ctx, list, request);
    const by = { environmentId, organizationId, userId, now: ctx.now() };
    const rows = await listApiKeyPage(ctx.db, { ...by, page });
    const { items, ...tokens } = pageOf(ctx, list, page, rows);
    return {
      ...tokens,
      totalCount: await countApiKeys(ctx.db, by),
      tokens: items.map(messageOf),
    };
  },

  async updateToken(ctx, { token, description, customClaims }, { header }) {
    checkGiven(token);
    checkClaims('', description ?? '', customClaims);
    const replaces = replacesClaims(header);
    const changed = await changeApiKey(ctx, token, (current) => ({
      description: description ?? current.description,
      customClaims: claimsAfter(current.customClaims, customClaims, replaces),
    }));
    if (!changed) throw noSuchKey();
    return { tokenInfo: messageOf(changed) };
  },
};

type Claims = Readonly<Record<string, string>>;

/** An empty value takes its claim away; no claims at all change nothing. */
function claimsAfter(current: Claims, sent: Claims, replaces: boolean): Claims {
  if (Object.keys(sent).length === 0) return current;
  const wanted = Object.entries(replaces ? sent : { ...current, ...sent });
  const kept = wanted.filter(([, value]) => value !== '');
  if (kept.length > MOST_CLAIMS)
    throw invalidField('custom_claims', `at most ${MOST_CLAIMS} in all`, 'map.max_pairs');
  return Object.fromEntries(kept);
}

function replacesClaims(header: Headers): boolean {
  const version = header.get('x-api-version') ?? '';
  return /^[0-9]{8}$/.test(version) && version >= REPLACING_VERSION;
}

function checkGiven(token: string): void {
  if (token === '') throw invalidField('token', 'is missing', 'required');
  if (token.length > LONGEST_KEY) throw noSuchKey();
}

function checkClaims(prefix: string, description: string, claims: Claims): void {
  checkText(prefix, { description });
  for (const [name, value] of Object.entries(claims))
    checkText(`${prefix}custom_claims`, { '': [name, value] });
  if (Object.hasOwn(claims, '__proto__'))
    throw invalidField(`${prefix}custom_claims`, '"__proto__" cannot be a name', 'name');
}

/** A key that has expired before it is made would be a mistake nobody notices. */
function expiryOf(ctx: Ctx, { seconds, nanos }: { seconds: bigint; nanos: number }): Date {
  const isTime = seconds >= 0n && seconds <= LAST_SECOND && nanos >= 0 && nanos < 1_000_000_000;
  const moment = isTime ? Number(seconds) * 1000 + Math.floor(nanos / 1_000_000) : 0;
  if (moment <= ctx.now().getTime())
    throw invalidField('token.expiry', 'must be a moment in the future', 'timestamp.gt_now');
  return new Date(moment);
}

function messageOf(key: ApiKey) {
  const { user, expiresAt, description } = key;
  return {
    tokenId: key.id,
    organizationId: key.organizationId,
    organizationExternalId: key.organizationExternalId ?? '',
    customClaims: { ...key.customClaims },
    createdAt: timestampOf(key.createdAt),
    tokenSuffix: key.suffix,
    ...(expiresAt ? { expiry: timestampOf(expiresAt) } : {}),
    ...(description === '' ? {} : { description }),
    ...(user ? { userId: user.id, email: user.email, roles: [...user.roles] } : {}),
    ...(user?.externalId === undefined ? {} : { userExternalId: user.externalId }),
  };
}

async function noSuchHolder(ctx: Ctx, organizationId: string): Promise<ApiError> {
  const by = { environmentId: ctx.environmentId, key: { id: organizationId } };
  if (!(await findOrganization(ctx.db, by))) return noSuchOrganization();
  const message = 'the organization has no such active member';
  return new ApiError('not_found', 'MEMBERSHIP_NOT_FOUND', message);
}

/** One answer for whatever is wrong with a key. Never `unauthenticated`, which client libraries take for their own token's fault. */
function noSuchKey(): ApiError {
  return new ApiError('not_found', 'API_KEY_NOT_VALID', 'the key is not valid');
}
