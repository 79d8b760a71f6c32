import { markCompleted } from '../../clients/clients.store.ts';
import { environmentOf } from '../../environments/environments.ts';
import { recordFor } from '../../events/events.ts';
import {
  findAuthorizationCode,
  insertAuthorizationCode,
} from '../../grants/authorization-codes.store.ts';
import { touchConsent } from '../../grants/consents.store.ts';
import { saveConsent } from '../../grants/grants.ts';
import {
  decideLoginRequest,
  findLoginRequest,
  type LoginRequest,
} from '../../login/login-requests.store.ts';
import { type Ctx, withDb } from '../../runtime/context.ts';
import { equalBytes, sha256 } from '../../runtime/hash.ts';
import { newSecret } from '../../runtime/ids.ts';
import type { SecretRow } from '../../runtime/secrets.ts';
import { redirectKind } from '../redirect-uri.ts';
import { announceConnection, isFirstConnection } from './announce-connection.ts';
import type { PendingConsent } from './pending-consent.ts';

/** What the person chose, as compared with a repeated POST. */
export type Decision =
  | { readonly kind: 'allow'; readonly scopes: readonly string[] }
  | { readonly kind: 'deny' };

export type DecisionOutcome =
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'denied' }
  /** Decided before in another way, or the code is gone (AS-128). */
  | { readonly kind: 'already-decided' };

/** What stands for the person's answer: theirs to an equal request (AS-131), or the operator's for an own application (AS-132). */
export type StandingConsent =
  | { readonly kind: 'remembered'; readonly consentId: string }
  | { readonly kind: 'operator' };

type SignedIn = NonNullable<PendingConsent['signedIn']>;

/**
 * Writes a decision and, for *allow*, issues the code (RFC 6749 section 4.1.2): consent, code, event and the request's row in
 * one transaction, whose gate is the row: of any number of POSTs one decides. A repeat of the same decision by the same browser
 * gets the same answer while the code is unredeemed.
 *
 * @param standing a consent that already stands for this request
 */
export async function decide(
  ctx: Ctx,
  pending: PendingConsent,
  signedIn: SignedIn,
  decision: Decision,
  standing?: StandingConsent,
): Promise<DecisionOutcome> {
  const { login } = pending;
  const digest = digestOf(decision, signedIn.user.id);
  if (login.decision) return await repeated(ctx, login, digest);
  const code = decision.kind === 'allow' ? newSecret(ctx) : undefined;
  const decided = await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const won = await decideLoginRequest(tx, {
      environmentId: ctx.environmentId,
      id: login.id,
      now: ctx.now(),
      kind: decision.kind,
      digest,
      sessionId: signedIn.session.id,
      ...(code === undefined
        ? {}
        : {
            code: {
              sealed: ctx.secrets.seal('pending-code', sealedRow(ctx, login.id), Buffer.from(code)),
              hash: sha256(code),
            },
          }),
    });
    if (!won) return false;
    if (decision.kind === 'deny')
      await recordDecision(inside, pending, signedIn, 'consent.denied', {});
    else if (code !== undefined)
      await allow(inside, pending, signedIn, {
        code,
        scopes: decision.scopes,
        standing,
      });
    return true;
  });
  if (!decided) {
    const now = await findLoginRequest(ctx.db, { environmentId: ctx.environmentId, id: login.id });
    return now?.decision ? await repeated(ctx, now, digest) : { kind: 'already-decided' };
  }
  return code === undefined ? { kind: 'denied' } : { kind: 'code', code };
}

/** AS-94, AS-131, AS-154: everything that an *allow* writes. */
async function allow(
  ctx: Ctx,
  pending: PendingConsent,
  signedIn: SignedIn,
  granted: { code: string; scopes: readonly string[]; standing: StandingConsent | undefined },
): Promise<void> {
  const { login, request, client, mcpServer } = pending;
  const now = ctx.now();
  const { standing } = granted;
  const isFirst = standing === undefined && (await isFirstConnection(ctx, pending, signedIn.user));
  const consentId =
    standing?.kind === 'remembered'
      ? standing.consentId
      : await writeConsent(ctx, pending, signedIn, granted.scopes);
  if (standing?.kind === 'remembered')
    await touchConsent(ctx.db, { environmentId: ctx.environmentId, id: consentId, now });
  const lifetime = mcpServer
    ? mcpServer.settings.codeLifetime
    : (await environmentOf(ctx)).settings.codeLifetime;
  await insertAuthorizationCode(ctx.db, {
    environmentId: ctx.environmentId,
    codeHash: sha256(granted.code),
    flowId: login.flowId,
    loginRequestId: login.id,
    issuer: login.issuer,
    clientId: client.id,
    redirectUri: login.redirectUri,
    redirectUriGiven: request.redirectUriGiven,
    codeChallenge: request.codeChallenge,
    userId: signedIn.user.id,
    sessionId: signedIn.session.id,
    browserHash: login.browserHash,
    consentId,
    mcpServerId: mcpServer?.id,
    resource: request.resource,
    scopes: granted.scopes,
    nonce: request.nonce,
    authenticatedAt: signedIn.session.authenticatedAt,
    createdAt: now,
    expiresAt: new Date(now.getTime() + lifetime * 1000),
  });
  if (isFirst) await announceConnection(ctx, pending, signedIn.user, granted.scopes);
  await markCompleted(ctx.db, { environmentId: ctx.environmentId, id: client.id, now });
  await recordDecision(ctx, pending, signedIn, eventOf(standing), {
    scopes: granted.scopes,
    consentId,
  });
}

function eventOf(standing: StandingConsent | undefined): string {
  if (!standing) return 'consent.granted';
  return standing.kind === 'remembered' ? 'consent.remembered' : 'consent.skipped';
}

async function writeConsent(
  ctx: Ctx,
  pending: PendingConsent,
  signedIn: SignedIn,
  scopes: readonly string[],
): Promise<string> {
  const { login, request, client, mcpServer } = pending;
  return await saveConsent(ctx, {
    userId: signedIn.user.id,
    clientId: client.id,
    mcpServerId: mcpServer?.id,
    redirectUri: login.redirectUri,
    resource: request.resource,
    scopes,
    clientDigest: client.digest,
    remembered: mayBeRemembered(pending),
  });
}

/** AS-131, AS-38: never for redirects that any program could receive, never where the person had to vouch for an address. */
export function mayBeRemembered({ login, request, mcpServer }: PendingConsent): boolean {
  if (request.unregisteredResource) return false;
  return (
    redirectKind(login.redirectUri) === 'https' ||
    mcpServer?.settings.rememberNativeConsent === true
  );
}

/** AS-128: the same decision again is answered as before while its code waits; everything else is refused. */
async function repeated(
  ctx: Ctx,
  login: LoginRequest,
  digest: Uint8Array,
): Promise<DecisionOutcome> {
  if (!login.decision || !equalBytes(login.decision.digest, digest))
    return { kind: 'already-decided' };
  if (login.decision.kind === 'deny') return { kind: 'denied' };
  if (!login.codeSealed || !login.codeHash) return { kind: 'already-decided' };
  const stored = await findAuthorizationCode(ctx.db, {
    environmentId: ctx.environmentId,
    codeHash: login.codeHash,
  });
  if (
    !stored ||
    stored.consumedAt !== undefined ||
    stored.expiresAt.getTime() <= ctx.now().getTime()
  )
    return { kind: 'already-decided' };
  return {
    kind: 'code',
    code: Buffer.from(
      ctx.secrets.open('pending-code', sealedRow(ctx, login.id), login.codeSealed),
    ).toString(),
  };
}

function digestOf(decision: Decision, userId: string): Uint8Array {
  return sha256(
    JSON.stringify([
      decision.kind,
      userId,
      decision.kind === 'allow' ? [...decision.scopes].sort() : [],
    ]),
  );
}

function sealedRow(ctx: Pick<Ctx, 'environmentId'>, id: string): SecretRow {
  return { table: 'login_requests', environmentId: ctx.environmentId, id };
}

async function recordDecision(
  ctx: Ctx,
  { login, client, mcpServer }: PendingConsent,
  { user }: SignedIn,
  type: string,
  data: Record<string, unknown>,
): Promise<void> {
  await recordFor(ctx, {
    type,
    flowId: login.flowId,
    clientId: client.id,
    userId: user.id,
    mcpServerId: mcpServer?.id,
    data,
  });
}
