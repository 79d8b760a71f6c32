import { recordFor } from '../events/events.ts';
import type { McpServer } from '../mcp/mcp-servers.ts';
import { OAuthError, temporarilyUnavailable, tooManyRequests } from '../oauth/oauth-error.ts';
import type { Ctx } from '../runtime/context.ts';
import { equalBytes, sha256 } from '../runtime/hash.ts';
import { type Client, hasKeys, usesSecret } from './client.ts';
import { checkAssertion, claimedClientId } from './client-assertion.ts';
import { type Credentials, presentedCredentials } from './client-credentials.ts';
import { type ClientResolution, clientRecord } from './client-resolution.ts';
import { markAsserted, markSecretUsed } from './clients.store.ts';
import { recordableClientId, resolveClient } from './clients.ts';
import { countFailure, exhaustedFor, failureLimitOf } from './failed-authentications.ts';

export type UsedMethod = 'none' | 'secret' | 'assertion';
export type AuthenticatedClient = { readonly client: Client; readonly method: UsedMethod };

export type AuthenticationRequest = {
  readonly form: Readonly<Record<string, string | undefined>>;
  readonly authorization: string | undefined;
};
/** The endpoint that asks: its issuer, the MCP server when that is R, and its own URL. */
export type AuthenticationPlace = {
  readonly issuer: string;
  readonly mcpServer?: McpServer | undefined;
  readonly endpoint: string;
  /** Introspection and the feed: environment clients are at home at every R (AS-123). */
  readonly environmentClients?: boolean | undefined;
};

type Failure = {
  readonly kind: 'failed';
  readonly description: string;
  readonly detail: string;
  readonly client?: Client | undefined;
};
type Attempt =
  | { readonly kind: 'authenticated'; readonly client: Client; readonly method: UsedMethod }
  | Failure;

const DAY_MS = 86_400_000;
const STRENGTH: Readonly<Record<UsedMethod, number>> = { none: 0, secret: 1, assertion: 2 };

/**
 * Client authentication of every endpoint that clients call (RFC 6749 section 2.3, RFC 7523; AS-86, AS-87, AS-91 to AS-93).
 *
 * @throws {OAuthError} invalid_request: more than one method at once
 * @throws {OAuthError} invalid_client: 401 for whatever is wrong with the client or its credentials; it registers anew on this
 * @throws {OAuthError} temporarily_unavailable: 429 after too many failures, 503 when a document or key set cannot be fetched
 */
export async function authenticateClient(
  ctx: Ctx,
  request: AuthenticationRequest,
  where: AuthenticationPlace,
): Promise<AuthenticatedClient> {
  const presented = presentedCredentials(request);
  const attempt = await attemptAll(ctx, presented, where);
  if (attempt.kind === 'authenticated') return { client: attempt.client, method: attempt.method };
  const limit = failureLimitOf(ctx, attempt.client);
  const wait = await countFailure(ctx, limit);
  // Beyond the limit they are only counted: a flood must not fill the timeline.
  if (wait !== undefined) throw tooManyRequests(wait, `failed authentications of ${limit.key}`);
  await recordFor(ctx, {
    type: 'client.authentication_failed',
    outcome: 'failure',
    reason: attempt.detail,
    clientId: recordableClientId(presented.candidates[0]?.clientId),
    mcpServerId: where.mcpServer?.id,
  });
  throw invalidClient(attempt.description, attempt.detail, request.authorization !== undefined);
}

/** The same or a stronger method than a grant began with (AS-76); basic and post count as one. */
export function requireMethod(
  client: Pick<Client, 'id'>,
  stored: UsedMethod,
  used: UsedMethod,
): void {
  if (STRENGTH[used] >= STRENGTH[stored]) return;
  throw invalidClient(
    'the client must authenticate as it did when this grant began',
    `${client.id} used ${used}, the grant began with ${stored}`,
    false,
  );
}

/** The TypeScript SDK does not form-encode Basic credentials, so the raw reading is tried after the encoded one (AS-86). */
async function attemptAll(
  ctx: Ctx,
  presented: { readonly candidates: readonly Credentials[] },
  where: AuthenticationPlace,
): Promise<Attempt> {
  let last: Failure = {
    kind: 'failed',
    description: 'client_id is missing',
    detail: 'no client_id',
  };
  for (const credentials of presented.candidates) {
    const attempt = await attemptOne(ctx, credentials, where);
    if (attempt.kind === 'authenticated') return attempt;
    // A failure of a client we know says more than that the other reading names none.
    if (!last.client) last = attempt;
  }
  return last;
}

async function attemptOne(
  ctx: Ctx,
  credentials: Credentials,
  where: AuthenticationPlace,
): Promise<Attempt> {
  const clientId =
    credentials.clientId ??
    (credentials.kind === 'assertion' ? claimedClientId(credentials.assertion) : undefined);
  if (clientId === undefined)
    return { kind: 'failed', description: 'client_id is missing', detail: 'no client_id' };
  const resolution = await resolveClient(ctx, clientId, {
    mcpServer: where.mcpServer,
    purpose: 'token',
    environmentClients: where.environmentClients,
  });
  if (resolution.kind !== 'found') return refusal(resolution);
  const { client } = resolution;
  const wait = exhaustedFor(ctx, failureLimitOf(ctx, client));
  if (wait !== undefined && credentials.kind !== 'none')
    throw tooManyRequests(wait, `failed authentications of ${client.id}`);
  switch (credentials.kind) {
    case 'assertion':
      return await byAssertion(ctx, client, credentials, where);
    case 'secret':
      return await bySecret(ctx, client, credentials.secret, where);
    case 'none':
      return withoutCredentials(client);
  }
}

/** Why a client id is not a client here; one 401 for all of it, so that clients start over (AS-87). */
function refusal(resolution: Exclude<ClientResolution, { kind: 'found' }>): Failure {
  const failed = (description: string, detail: string): Failure => ({
    kind: 'failed',
    description,
    detail,
  });
  switch (resolution.kind) {
    case 'unknown':
      return resolution.tombstoneAt
        ? failed('this client registration has expired, register again', 'expired')
        : failed('the client is not known here', 'unknown');
    case 'not-here':
      return failed('the client is not known here', 'belongs elsewhere');
    case 'switched-off':
      return failed(
        'this server does not accept metadata documents as clients',
        'metadata documents off',
      );
    case 'host-not-allowed':
      return failed('clients of this host are not accepted', 'host not allowed');
    case 'invalid-document':
      return failed(`invalid_client_metadata_url: ${resolution.detail}`, 'invalid document');
    case 'unreachable':
      throw temporarilyUnavailable(`metadata document: ${resolution.detail}`);
    case 'busy':
      throw new OAuthError(
        'temporarily_unavailable',
        'the server cannot answer at the moment, try again shortly',
        { retryAfterSeconds: resolution.retryAfterSeconds, detail: 'fetch budget' },
      );
  }
}

async function byAssertion(
  ctx: Ctx,
  client: Client,
  credentials: Extract<Credentials, { kind: 'assertion' }>,
  where: AuthenticationPlace,
): Promise<Attempt> {
  const failed = (detail: string): Attempt => ({
    kind: 'failed',
    description: `the client assertion is not valid: ${detail}`,
    detail,
    client,
  });
  if (!credentials.typeIsJwtBearer) return failed('client_assertion_type is not jwt-bearer');
  if (!hasKeys(client)) return failed('the client has no keys');
  const check = await checkAssertion(ctx, client, credentials.assertion, {
    issuer: where.issuer,
    environment: ctx.issuer,
    endpoint: where.endpoint,
  });
  if (check.kind === 'no-keys') throw temporarilyUnavailable(`keys of the client: ${check.detail}`);
  if (check.kind === 'wrong') return failed(check.detail);
  if (!client.assertedAt)
    await markAsserted(ctx.db, { environmentId: ctx.environmentId, id: client.id, now: ctx.now() });
  return { kind: 'authenticated', client, method: 'assertion' };
}

async function bySecret(
  ctx: Ctx,
  client: Client,
  secret: string,
  where: AuthenticationPlace,
): Promise<Attempt> {
  if (!usesSecret(client.tokenEndpointAuthMethod)) {
    // AS-86: what a public client sends as a secret is ignored. An application that sends one is misconfigured (FSA-3).
    if (client.kind === 'application' && !where.mcpServer)
      return {
        kind: 'failed',
        description: 'this client has no secret',
        detail: 'secret of a public application',
        client,
      };
    return withoutCredentials(client);
  }
  if (client.assertedAt)
    return {
      kind: 'failed',
      description: 'this client authenticates by assertion',
      detail: 'weaker method',
      client,
    };
  const now = ctx.now();
  const record = await clientRecord(ctx, client.id);
  const hash = sha256(secret);
  // Every secret is compared, so that the time says nothing about which one matched.
  const matches = (record?.secrets ?? []).filter((known) => equalBytes(known.hash, hash));
  const live = matches.find(
    (known) => known.active && (known.expiresAt === undefined || known.expiresAt > now),
  );
  if (!live)
    return {
      kind: 'failed',
      description: 'the client secret is wrong or has expired',
      detail: matches.length > 0 ? 'secret inactive or expired' : 'wrong secret',
      client,
    };
  if (!live.lastUsedAt || now.getTime() - live.lastUsedAt.getTime() > DAY_MS)
    await markSecretUsed(ctx.db, { environmentId: ctx.environmentId, id: live.id, now });
  return { kind: 'authenticated', client, method: 'secret' };
}

/** AS-76: enough for public clients, and where the document says that an assertion is optional, until one was ever sent. */
function withoutCredentials(client: Client): Attempt {
  if (client.assertedAt)
    return {
      kind: 'failed',
      description: 'this client authenticates by assertion',
      detail: 'weaker method',
      client,
    };
  if (client.tokenEndpointAuthMethod === 'none' || client.assertionOptional)
    return { kind: 'authenticated', client, method: 'none' };
  return {
    kind: 'failed',
    description: 'the client must authenticate',
    detail: 'no credentials',
    client,
  };
}

function invalidClient(description: string, detail: string, usedHeader: boolean): OAuthError {
  return new OAuthError('invalid_client', description, {
    detail,
    ...(usedHeader ? { wwwAuthenticate: 'Basic realm="OAuth"' } : {}),
  });
}
