import {
  asRpcError,
  insufficientScope,
  invalidRequest,
  invalidToken,
  metadataDocument,
  methodNotAllowed,
  notFound,
  rpcError,
  serverError,
  tokenRequired,
  unavailable,
} from './answers.ts';
import { asMetadataPath } from './as-metadata.ts';
import type { McpAuth } from './auth.ts';
import { takeToken } from './bearer.ts';
import { checkMessages, readJsonBody } from './decide-body.ts';
import { withDpopChallenge } from './dpop-answers.ts';
import { ConfigurationError } from './errors.ts';
import { type GuardHealth, guardHealth, guardMetrics } from './health.ts';
import { type McpServer, prepareMcpServer, useToolRules } from './mcp-server.ts';
import { metadataRoot } from './metadata.ts';
import type { McpServerOptions } from './options.ts';
import { checkOrigin, corsHeaders, mirroredHeaders, preflight } from './origins.ts';
import type { Decision, GuardRequest, Respond } from './request.ts';
import { checkSession, responseDuties } from './response-duties.ts';
import { missingScopes } from './scope-rules.ts';
import { checkBinding } from './token-binding.ts';
import { decisionFailed, tokenRefused, warnAboutQueryToken } from './token-events.ts';
import type { TokenOutcome } from './validate-token.ts';

/** Decides about requests. Made once, when the process starts; adapters call `decide` for each request. */
export type McpGuard = {
  decide(request: GuardRequest): Promise<Decision>;
  /** State of key sets and revocation feeds, without secrets (RS-56). */
  health(): GuardHealth;
  /** The same and counters of refusals, in the text format of Prometheus. */
  metrics(): string;
  /**
   * Puts other tool rules in the place of those of the MCP server with this URL: all three, or none of them.
   * Its sessions, keys and what it knows of revocations stay. Requests that were decided stay decided.
   *
   * @throws {ConfigurationError} rules that cannot work, which change nothing
   */
  replaceToolRules(serverUrl: string, rules: ToolRules): void;
  /** Ends what runs in the background. Nothing of it keeps a process alive. */
  close(): void;
};

/** What a tool scope map says; what it leaves out has its default. */
export type ToolRules = Pick<McpServerOptions, 'tools' | 'defaultPolicy' | 'highRiskTools'>;

const endpointMethods = 'GET, HEAD, POST, DELETE, OPTIONS';
const metadataMethods = 'GET, HEAD, OPTIONS';

/**
 * Protects one MCP server, or several of one process (RS-55): serves their protected resource metadata
 * (RFC 9728), answers CORS, checks `Origin` and `Host`, validates the bearer token (RFC 6750, RFC 9068)
 * and compares its scopes with what the call in the body needs.
 *
 * Everything that reaches the guard needs a token, except the metadata and exactly the `publicPaths`
 * (RS-7). With several servers a request belongs to the one whose path it has, character for character;
 * any other path is answered with 404. The first one's metadata is served at the root too.
 *
 * @throws {ConfigurationError} a declaration that cannot work; the message names the option
 */
export function protectMcp<const S extends string>(
  servers: McpServerOptions<S> | readonly McpServerOptions<S>[],
): McpGuard {
  const declared: readonly McpServerOptions[] = isList(servers) ? servers : [servers];
  const keySets = new Map();
  const [first, ...others] = declared.map((options) => prepareMcpServer(options, keySets));
  if (!first) throw new ConfigurationError('invalid_option', 'declare at least one MCP server');
  const all = [first, ...others];
  refuseSharedPaths(all);
  refuseSharedDocuments(all);
  const publicPaths = new Set(
    declared.flatMap(({ publicPaths: paths }) => paths ?? []).map(exactPath),
  );
  refusePublicEndpoints(all, publicPaths);
  const [asMetadata, second] = all.flatMap((server) => server.asMetadata ?? []);
  if (second)
    throw new ConfigurationError(
      'duplicate_path',
      'proxyAsMetadata can be on for one MCP server of a process only',
    );

  return {
    async decide(request) {
      const path = rawPath(request.target);
      const document = path === asMetadataPath ? asMetadata : metadataAt(all, first, path);
      if (document) return openDocument(request, document);
      const reading = request.method === 'GET' || request.method === 'HEAD';
      if (reading && publicPaths.has(path)) return { kind: 'public' };
      const server = others.length === 0 ? first : all.find(({ paths }) => paths.has(path));
      if (!server) return notFound();
      const foreign = checkOrigin(server, request);
      if (foreign) return foreign;
      const cors = corsHeaders(server, request);
      if (request.method === 'OPTIONS')
        return preflight(cors, endpointMethods, mirroredHeaders(request));
      const decision = await decideCall(server, request).catch((error: unknown) => {
        decisionFailed(server, request, error);
        return serverError();
      });
      if (decision.kind === 'public') return decision;
      const answer =
        decision.kind === 'respond' ? withDpopChallenge(server, request, decision) : decision;
      return { ...answer, headers: { ...cors, ...answer.headers } };
    },
    health: () => guardHealth(all),
    metrics: () => guardMetrics(all),
    replaceToolRules(serverUrl, { tools = {}, defaultPolicy = 'base', highRiskTools = [] }) {
      const at = declared.findIndex((options) => options.serverUrl === serverUrl);
      const [server, options] = [all[at], declared[at]];
      if (!server || !options)
        throw new ConfigurationError('invalid_url', `no MCP server is declared at ${serverUrl}`);
      useToolRules(server, { ...options, tools, defaultPolicy, highRiskTools });
    },
    close() {
      for (const { revocations } of all) revocations.close();
    },
  };
}

/** A rule function that throws must neither let the call pass nor end the process. */
function decideMessages(
  server: McpServer,
  request: GuardRequest,
  auth: McpAuth,
  body: unknown,
): Respond | undefined {
  try {
    return checkMessages(server, request, auth, body);
  } catch (error) {
    decisionFailed(server, request, error);
    return serverError();
  }
}

/** The endpoint itself: token, then body, then scopes. Nothing of the body is read for a caller without a token. */
async function decideCall(server: McpServer, request: GuardRequest): Promise<Decision> {
  const auth = await authenticate(server, request);
  if ('kind' in auth) return auth;
  const decision = await decideFor(server, request, auth);
  if (decision.kind !== 'respond') return decision;
  const { subject, organizationId } = auth.extra;
  return { ...decision, caller: { subject, clientId: auth.clientId, organizationId } };
}

async function decideFor(
  server: McpServer,
  request: GuardRequest,
  auth: McpAuth,
): Promise<Decision> {
  const foreignSession = checkSession(server, request, auth);
  if (foreignSession) return foreignSession;
  switch (request.method) {
    case 'GET':
    case 'HEAD':
    case 'DELETE': {
      const missing = missingScopes(server.rules, [server.rules.base], auth.scopes);
      if (missing) return insufficientScope(server, missing, auth.scopes);
      // A handler that looks at bodies whatever the method is would run what nobody checked (RS-36).
      if (request.hasBody) return rpcError(400, -32600, 'Only POST takes a body');
      const response = responseDuties(server, request, auth, undefined);
      return { kind: 'allow', auth, body: undefined, bytes: undefined, headers: {}, response };
    }
    case 'POST': {
      const began = server.runtime.nowMs();
      const read = await readJsonBody(server, request);
      if (read.kind === 'respond') return read;
      const over = await checkTokenAgain(server, auth, began);
      if (over) return over;
      const refusal = decideMessages(server, request, auth, read.value);
      const { value: body, bytes } = read;
      if (refusal) return server.jsonRpcErrorBody ? asRpcError(refusal, body) : refusal;
      const response = responseDuties(server, request, auth, body);
      return { kind: 'allow', auth, body, bytes, headers: {}, response };
    }
    default:
      return methodNotAllowed(endpointMethods);
  }
}

async function authenticate(server: McpServer, request: GuardRequest): Promise<McpAuth | Respond> {
  const taken = takeToken(request, server.dpop ? 'taken' : 'off');
  if (taken.inQuery) warnAboutQueryToken(server);
  if (taken.kind === 'none') return tokenRequired(server);
  if (taken.kind === 'malformed') {
    const schemes = server.dpop ? 'Bearer or DPoP' : 'Bearer';
    return invalidRequest(
      server,
      `Send the access token once, as a ${schemes} token in the Authorization header`,
    );
  }
  const outcome = await server.checkToken(taken.token);
  if (outcome.kind !== 'valid') return refuseToken(server, outcome);
  const { clientId, scopes, expiresAt, details } = outcome.token;
  if (server.dpop || details.claims['cnf'] !== undefined) {
    const unproven = await checkBinding(server, request, taken, details.claims);
    if (unproven) return unproven;
  }
  let resource: URL | undefined;
  // Fresh objects for each request, frozen details: what a handler does to them reaches no other request.
  return {
    token: taken.token,
    clientId,
    scopes: [...scopes],
    expiresAt,
    get resource() {
      resource ??= new URL(server.resource); // parsed for those who look at it
      return resource;
    },
    extra: details,
  };
}

function refuseToken(
  server: McpServer,
  outcome: Exclude<TokenOutcome, { readonly kind: 'valid' }>,
): Respond {
  if (outcome.kind === 'unavailable') return unavailable(outcome.retryAfterSeconds);
  tokenRefused(server, outcome.reason, outcome.claims);
  return invalidToken(server, outcome.reason);
}

/** Milliseconds for which a token that was accepted needs no second look. */
const acceptedFor = 1_000;

/** A body arrives as slowly as its sender likes: what counted at its first byte may be over at its last (RS-58). */
async function checkTokenAgain(
  server: McpServer,
  { token }: McpAuth,
  acceptedAt: number,
): Promise<Respond | undefined> {
  const passed = server.runtime.nowMs() - acceptedAt;
  if (passed >= 0 && passed < acceptedFor) return undefined;
  const outcome = await server.checkToken(token);
  return outcome.kind === 'valid' ? undefined : refuseToken(server, outcome);
}

/** What is at a path at or below the metadata root: a document, or nothing, so that nothing behind the guard can be reached by one (RS-1). */
function metadataAt(
  servers: readonly McpServer[],
  first: McpServer,
  path: string,
): (() => Respond) | undefined {
  const root = path === metadataRoot || path === `${metadataRoot}/`;
  if (!root && !path.startsWith(`${metadataRoot}/`)) return undefined;
  const server =
    servers.find(({ metadataPaths }) => metadataPaths.has(path)) ?? (root ? first : undefined);
  return server ? () => metadataDocument(server) : notFound;
}

/** For refusals too: a browser looks at several addresses. */
const open = { 'access-control-allow-origin': '*' };

/** A document that anybody may read, from any page. */
async function openDocument(
  request: GuardRequest,
  read: () => Respond | Promise<Respond>,
): Promise<Respond> {
  if (read === notFound) return withHeaders(notFound(), open);
  if (request.method === 'OPTIONS') return preflight(open, metadataMethods);
  const reading = request.method === 'GET' || request.method === 'HEAD';
  return withHeaders(reading ? await read() : methodNotAllowed(metadataMethods), open);
}

function withHeaders(answer: Respond, added: Respond['headers']): Respond {
  return { ...answer, headers: { ...answer.headers, ...added } };
}

/** The path as it was sent. It is only ever compared for equality, never decoded (RS-7). */
function rawPath(target: string): string {
  const end = target.indexOf('?');
  return end < 0 ? target : target.slice(0, end);
}

/** A public path must be one that every router reads the same way. */
function exactPath(path: string): string {
  const segments = path.replace(/\/$/, '').split('/').slice(1);
  const plain = segments.every(
    (segment) => /^[A-Za-z0-9._~!$&'()*+,=:@-]+$/.test(segment) && !/^\.\.?$/.test(segment),
  );
  if (path.startsWith('/') && plain) return path;
  throw new ConfigurationError(
    'invalid_option',
    `the public path ${JSON.stringify(path)} must be absolute, without encoded characters, dot segments or parameters`,
  );
}

/** A document at one address can only be that of one server. */
function refuseSharedDocuments(servers: readonly McpServer[]): void {
  const taken = new Set<string>();
  for (const path of servers.flatMap(({ metadataPaths }) => [...metadataPaths])) {
    if (taken.has(path))
      throw new ConfigurationError(
        'duplicate_path',
        `two MCP servers would have their metadata at ${path}; give their Server URLs different paths`,
      );
    taken.add(path);
  }
}

/** Routers often ignore case, so paths that differ only by it could reach the other server with this one's token. */
function refuseSharedPaths(servers: readonly McpServer[]): void {
  const taken = new Set<string>();
  for (const path of servers.flatMap(({ paths }) => [...paths])) {
    if (taken.has(path.toLowerCase())) {
      throw new ConfigurationError('duplicate_path', `two MCP servers are declared at ${path}`);
    }
    taken.add(path.toLowerCase());
  }
}

/** An endpoint that GET may reach without a token would give away its streams (RS-47), so that is taken for a mistake. */
function refusePublicEndpoints(
  servers: readonly McpServer[],
  publicPaths: ReadonlySet<string>,
): void {
  const alike = (path: string): string => path.toLowerCase().replace(/\/$/, '');
  const endpoints = new Set(servers.flatMap(({ paths }) => [...paths].map(alike)));
  for (const path of publicPaths) {
    if (endpoints.has(alike(path))) {
      throw new ConfigurationError(
        'invalid_option',
        `the public path ${path} is that of an MCP endpoint, which always needs a token`,
      );
    }
  }
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}
