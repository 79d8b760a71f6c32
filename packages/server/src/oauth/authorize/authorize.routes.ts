import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { trustOf } from '../../clients/trust.ts';
import { isForm, readForm, readQuery } from '../../http/forms.ts';
import { RequestError } from '../../http/request-error.ts';
import { browserOf, sessionsOfRequest } from '../../login/browser.ts';
import { continuePath, createLoginRequest } from '../../login/login-requests.ts';
import { PageError } from '../../login/page-error.ts';
import { pageHandler, seeOther, sendErrorPage } from '../../login/page-reply.ts';
import { type Issuer, issuerAt } from '../../mcp/issuer.ts';
import { findMcpServer } from '../../mcp/mcp-servers.ts';
import { trustColour } from '../../pages/consent-trust.ts';
import type { Purpose } from '../../pages/purpose.ts';
import { redirectTarget } from '../../pages/redirect-target.ts';
import type { App, Ctx } from '../../runtime/context.ts';
import { answerUri, environmentName, mayRedirectError } from './answer.ts';
import { type AuthorizeOutcome, authorize, type ProvenClient } from './authorize.ts';

const LONGEST_QUERY = 24_000;
const HASH = 0x23;

/** The authorization endpoint of E and of each R (RFC 6749 section 3.1). No CORS (AS-137). */
export function mountAuthorize(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  for (const path of ['/oauth/authorize', '/resources/:resource_id/oauth/authorize']) {
    http.get(path, { config: { page: true } }, pageHandler(contextOf, start));
    http.post(path, { config: { page: true } }, pageHandler(contextOf, restart));
  }
}

/**
 * A request sent as a form (AS-21) may come from another site, without our cookies: it only turns into the same request as a
 * GET of ours, where everything is decided (AS-30).
 */
async function restart(
  _ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (!isForm(request.headers['content-type']))
    throw new RequestError(
      400,
      'the body must be a form: Content-Type application/x-www-form-urlencoded',
    );
  readForm(request);
  const query = Buffer.isBuffer(request.body) ? asQuery(request.body) : '';
  if (query.length > LONGEST_QUERY)
    throw new RequestError(413, `the form is longer than ${LONGEST_QUERY} characters`);
  const path = (request.raw.url ?? '').split('?')[0] ?? '';
  return seeOther(reply, `${path}?${query}`);
}

/** A form as a query: what a URL and a header cannot hold is percent-encoded, byte by byte, so that nothing changes its value. */
function asQuery(form: Uint8Array): string {
  return Array.from(form, (byte) =>
    byte > 0x20 && byte < 0x7f && byte !== HASH
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).padStart(2, '0')}`,
  ).join('');
}

async function start(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const issuer = await issuerOfRequest(ctx, request);
  const outcome = await authorize(ctx, issuer, readQuery(request));
  ctx.metrics.count('gatewarden_authorizations_total', { outcome: outcome.kind });
  switch (outcome.kind) {
    case 'page':
      if (outcome.retryAfterSeconds !== undefined)
        reply.header('retry-after', String(outcome.retryAfterSeconds));
      return await sendErrorPage(
        ctx,
        request,
        reply,
        new PageError(outcome.problem, { clientId: undefined, mcpServerId: issuer.mcpServer?.id }),
      );
    case 'refused':
      return await refuse(ctx, request, reply, outcome);
    case 'accepted':
      return await freeze(ctx, request, reply, outcome);
  }
}

async function issuerOfRequest(ctx: Ctx, request: FastifyRequest): Promise<Issuer> {
  const { resource_id: resourceId } = request.params as { resource_id?: string }; // declared by the route's own template
  const issuer = await issuerAt(ctx, resourceId);
  if (!issuer) throw new PageError({ kind: 'not-found' });
  return issuer;
}

/** Freezes the request for this browser and goes on from its row; the address has nothing of the request in it any more. */
async function freeze(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  accepted: Extract<AuthorizeOutcome, { kind: 'accepted' }>,
): Promise<FastifyReply> {
  const { proven, issuer } = accepted;
  const browser = browserOf(ctx, request, reply);
  const created = await createLoginRequest(ctx, {
    browserHash: browser.hash,
    flowId: proven.flowId,
    issuer: issuer.issuer,
    clientId: proven.client.id,
    mcpServerId: accepted.mcpServerId,
    redirectUri: proven.redirectUri,
    details: {
      purpose: await purposeOf(ctx, proven, accepted.mcpServerId),
      prompts: accepted.request.prompt,
      maxAge: accepted.request.maxAge,
      loginHint: accepted.request.loginHint,
      uiLocales: accepted.request.uiLocales,
      ownSignIn: await ownSignInOf(ctx, accepted.mcpServerId),
      startAgainUrl: proven.client.settings.initiateLoginUri,
      parameters: { ...accepted.request },
    },
  });
  if (created.kind === 'too-many')
    throw new PageError({
      kind: 'too-many-requests',
      seconds: created.retryAfterSeconds,
      limiter: 'pending authorizations',
    });
  return seeOther(reply, continuePath({ issuer: issuer.issuer, id: created.id }));
}

/** An error that is the client's: by redirect to a trusted redirect URI, else a page with a link (AS-144). */
export async function refuse(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  refused: Extract<AuthorizeOutcome, { kind: 'refused' }>,
): Promise<FastifyReply> {
  const { proven, issuer, error } = refused;
  const to = {
    client: proven.client,
    redirectUri: proven.redirectUri,
    issuer: issuer.issuer,
    state: proven.state,
  };
  const returnUrl = answerUri(ctx, to, { error: error.code, error_description: error.description });
  const { current } = await sessionsOfRequest(ctx, request, issuer.mcpServer?.connectionId);
  if (await mayRedirectError(ctx, to, current?.userId))
    return reply.code(302).header('location', returnUrl).header('cache-control', 'no-store').send();
  const target = redirectTarget(proven.redirectUri);
  throw new PageError(
    {
      kind: 'untrusted-client',
      clientName: proven.client.name,
      redirect: target,
      code: error.code,
      description: error.description,
      ...(target.kind === 'web' ? { returnUrl } : {}),
    },
    { flowId: proven.flowId, clientId: proven.client.id, mcpServerId: issuer.mcpServer?.id },
  );
}

/** The connection through which people sign in to a server with the application's own login page. */
async function ownSignInOf(ctx: Ctx, mcpServerId: string | undefined): Promise<string | undefined> {
  const mcpServer = mcpServerId === undefined ? undefined : await findMcpServer(ctx, mcpServerId);
  return mcpServer?.connectionId;
}

/** Who brought the person here, for the pages before consent: an unverified client is named before anything is typed. */
async function purposeOf(
  ctx: Ctx,
  proven: ProvenClient,
  mcpServerId: string | undefined,
): Promise<Purpose> {
  const mcpServer = mcpServerId === undefined ? undefined : await findMcpServer(ctx, mcpServerId);
  if (!mcpServer) return { kind: 'app', app: proven.client.name || (await environmentName(ctx)) };
  const trust = await trustOf(ctx, proven.client, proven.redirectUri, { mcpServer });
  const colour = trustColour(trust);
  return {
    kind: 'mcp',
    server: mcpServer.name,
    client: {
      name: proven.client.name,
      verified: colour === 'green',
      redirect: redirectTarget(proven.redirectUri),
    },
  };
}
