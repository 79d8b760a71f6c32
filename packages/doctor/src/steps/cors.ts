import type { Examination } from '../examination.ts';
import { type Answer, header, type Outcome } from '../http.ts';
import { unknownClientForm } from './authorization-endpoints.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import { safeAddressOf } from './authorization-server-metadata.ts';
import type { Gate } from './challenge.ts';
import type { Resource } from './resource-metadata.ts';

/** Where the MCP Inspector runs, the browser client that most people have. */
export const INSPECTOR_ORIGIN = 'http://localhost:6274';
/** A page that has no business here. */
export const FOREIGN_ORIGIN = 'https://gatewarden-doctor.invalid';
const NEEDED = ['authorization', 'content-type', 'mcp-protocol-version', 'mcp-session-id'];
const CORS_HEADERS = [
  'access-control-allow-origin',
  'access-control-allow-headers',
  'access-control-expose-headers',
  'access-control-allow-credentials',
];

/** What clients in browsers need. Returns the origin that the endpoint lets in, undefined when it is none of those tried. */
export async function examineCors(
  examination: Examination,
  {
    gate,
    resource,
    server,
  }: {
    readonly gate: Gate;
    readonly resource: Resource;
    readonly server: AuthorizationServer | undefined;
  },
): Promise<string | undefined> {
  examination.begin('cors');
  const origin = await examinePreflight(examination, gate);
  if (origin !== undefined) await examineRefusal(examination, gate, origin);
  if (resource.url !== undefined) await examineMetadata(examination, resource.url);
  if (server) await examineServer(examination, server);
  return origin;
}

async function preflight(
  examination: Examination,
  url: string,
  origin: string,
  headers: readonly string[],
): Promise<Outcome> {
  return await examination.send({
    method: 'OPTIONS',
    url,
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': headers.join(','),
    },
  });
}

async function examinePreflight(
  examination: Examination,
  { endpoint }: Gate,
): Promise<string | undefined> {
  // A server may keep out the Inspector on purpose; its own origin it has to let in if it wants browsers at all.
  const origins = [INSPECTOR_ORIGIN, new URL(endpoint.url).origin];
  let seen: Answer | undefined;
  let origin: string | undefined;
  for (const one of origins) {
    const answer = await preflight(examination, endpoint.url, one, NEEDED);
    if (answer.kind === 'failed') continue;
    if (answer.status === 401) {
      examination.find('preflight-needs-token', {
        message: 'OPTIONS is answered with 401.',
        evidence: answer,
      });
      return undefined;
    }
    seen = answer;
    origin = allows(answer, one) ? one : undefined;
    if (origin !== undefined) break;
  }
  if (seen) checkCredentials(examination, seen, origin);
  const problem = seen ? preflightProblem(seen, origin) : 'OPTIONS is not answered.';
  if (problem === undefined) return origin;
  examination.find('preflight-headers-missing', {
    message: problem,
    evidence: seen ?? endpoint.url,
    headers: CORS_HEADERS,
    url: endpoint.url,
  });
  return undefined;
}

function preflightProblem(answer: Answer, origin: string | undefined): string | undefined {
  if (answer.status < 200 || answer.status > 299)
    return `OPTIONS is answered with ${answer.status}.`;
  if (origin === undefined)
    return `Neither ${INSPECTOR_ORIGIN} nor the server's own origin is let in.`;
  const allowed = listOf(answer, 'access-control-allow-headers');
  const missing = NEEDED.filter(
    (name) => !allowed.includes(name) && !(allowed.includes('*') && name !== 'authorization'),
  );
  return missing.length === 0 ? undefined : `The preflight does not allow ${missing.join(', ')}.`;
}

async function examineRefusal(examination: Examination, gate: Gate, origin: string): Promise<void> {
  if (!gate.probe) return;
  const answer = await examination.send(gate.probe({ origin }));
  if (answer.kind === 'failed') return;
  checkCredentials(examination, answer, origin);
  if (!gate.challenge || answer.status !== 401) return;
  const exposed = listOf(answer, 'access-control-expose-headers');
  if (allows(answer, origin) && (exposed.includes('www-authenticate') || exposed.includes('*')))
    return;
  examination.find('challenge-not-exposed', {
    message: allows(answer, origin)
      ? 'Access-Control-Expose-Headers of the 401 does not list WWW-Authenticate.'
      : 'The preflight lets browsers in, and the 401 has no Access-Control-Allow-Origin.',
    evidence: answer,
    headers: CORS_HEADERS,
  });
}

/** `*` together with credentials; a copied origin is looked at where a foreign page asks. */
export function checkCredentials(
  examination: Examination,
  answer: Answer,
  origin: string | undefined,
): void {
  const allowed = header(answer, 'access-control-allow-origin');
  if (header(answer, 'access-control-allow-credentials') !== 'true') return;
  if (allowed !== '*' && !(origin === FOREIGN_ORIGIN && allowed === origin)) return;
  examination.find('cors-credentials-wildcard', {
    message:
      allowed === '*'
        ? 'Access-Control-Allow-Credentials: true stands beside Access-Control-Allow-Origin: *.'
        : 'Any origin is copied into Access-Control-Allow-Origin, with credentials.',
    evidence: answer,
    headers: CORS_HEADERS,
  });
}

async function examineMetadata(examination: Examination, url: string): Promise<void> {
  const answer = await examination.send({
    method: 'GET',
    url,
    headers: { accept: 'application/json', origin: INSPECTOR_ORIGIN },
  });
  if (answer.kind === 'answer' && !allows(answer, INSPECTOR_ORIGIN))
    examination.find('prm-cors-missing', {
      message: 'The document has no Access-Control-Allow-Origin for other origins.',
      evidence: answer,
      headers: CORS_HEADERS,
    });
}

async function examineServer(examination: Examination, server: AuthorizationServer): Promise<void> {
  const tokenEndpoint = safeAddressOf(server.metadata, 'token_endpoint')?.href;
  const registration = safeAddressOf(server.metadata, 'registration_endpoint')?.href;
  const origin = INSPECTOR_ORIGIN;
  const asked: [string, Outcome][] = [
    [
      'its metadata',
      await examination.send({
        method: 'GET',
        url: server.metadataUrl,
        headers: { accept: 'application/json', origin },
      }),
    ],
  ];
  if (tokenEndpoint !== undefined)
    asked.push([
      'the token endpoint',
      await examination.send({
        method: 'POST',
        url: tokenEndpoint,
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin },
        body: unknownClientForm(),
      }),
    ]);
  if (registration !== undefined)
    asked.push([
      'the registration endpoint',
      await preflight(examination, registration, origin, ['content-type']),
    ]);
  const closed = asked.filter(([, answer]) => answer.kind === 'answer' && !allows(answer, origin));
  const [first] = closed;
  if (first)
    examination.find('as-cors-missing', {
      message: `Scripts of other origins cannot read ${closed.map(([name]) => name).join(', ')}.`,
      evidence: first[1],
      headers: CORS_HEADERS,
    });
}

export function allows(answer: Answer, origin: string): boolean {
  const allowed = header(answer, 'access-control-allow-origin');
  return allowed === '*' || allowed === origin;
}

function listOf(answer: Answer, name: string): readonly string[] {
  return (header(answer, name) ?? '')
    .split(',')
    .map((one) => one.trim().toLowerCase())
    .filter((one) => one !== '');
}
