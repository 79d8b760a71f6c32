import { type Document, isInsecure, readDocument } from '../document.ts';
import type { Examination } from '../examination.ts';
import { stringsOf } from '../http.ts';
import { shown } from '../printable.ts';
import type { Gate } from './challenge.ts';

/** What the protected resource metadata says, as far as it can be used. */
export type Resource = {
  /** Address of the document; undefined: there is none. */
  readonly url: string | undefined;
  /** The resource identifier. */
  readonly resource: string | undefined;
  /** It is about another resource than the one that was asked. */
  readonly isForeign: boolean;
  /** First authorization server, as it is spelled. */
  readonly authorizationServer: string | undefined;
  readonly scopes: readonly string[] | undefined;
};

type Found = Extract<Document, { kind: 'document' }>;

/** Finds the metadata as clients do (RFC 9728 §3, §5.1) and reads it critically. */
export async function examineResourceMetadata(
  examination: Examination,
  gate: Gate,
): Promise<Resource> {
  examination.begin('resource-metadata');
  const found = await discover(examination, gate);
  if (!found)
    return {
      url: undefined,
      resource: undefined,
      isForeign: false,
      authorizationServer: undefined,
      scopes: undefined,
    };
  const { members } = found;
  const usable = checkPlaceholders(examination, found);
  const isForeign = !usable || !checkResource(examination, found, gate.endpoint.url);
  const authorizationServer = usable ? checkAuthorizationServers(examination, found) : undefined;
  checkDetails(examination, found);
  const { resource } = members;
  return {
    url: found.url,
    resource: typeof resource === 'string' ? resource : undefined,
    isForeign,
    authorizationServer,
    scopes: stringsOf(members['scopes_supported']),
  };
}

/** Both well-known addresses of an endpoint (RFC 9728 §3.1). */
export function wellKnownAddresses(endpoint: string): { path: string; root: string } {
  const { origin, pathname, search } = new URL(endpoint);
  const root = `${origin}/.well-known/oauth-protected-resource`;
  return { path: pathname === '/' ? root : `${root}${pathname}${search}`, root };
}

async function discover(examination: Examination, gate: Gate): Promise<Found | undefined> {
  const addresses = wellKnownAddresses(gate.endpoint.url);
  const path = await readDocument(examination, addresses.path);
  const root =
    addresses.root === addresses.path ? path : await readDocument(examination, addresses.root);
  const named = await readNamed(examination, gate, [path, root]);
  if (named?.kind === 'document') checkForms(examination, named, path, root);
  const first = [named, path, root].find((one): one is Found => one?.kind === 'document');
  if (named?.kind === 'document') return named;
  if (named && first) reportProblem(examination, named, 'The address in the challenge');
  if (!named && first && path.kind !== 'document') reportPathForm(examination, path);
  if (!named && first) checkForms(examination, first, path, root);
  if (first) return first;
  const worst =
    [named, path, root].find((one) => one?.kind === 'needs-token' || one?.kind === 'not-json') ??
    named ??
    path;
  reportProblem(examination, worst, 'Each of the addresses where clients look');
  return undefined;
}

/** The document the challenge names. One at a foreign address counts only if it is about this endpoint. */
async function readNamed(
  examination: Examination,
  gate: Gate,
  known: readonly Document[],
): Promise<Document | undefined> {
  const address = gate.metadataUrl;
  if (address === undefined) return undefined;
  const href = new URL(address).href;
  const already = known.find(({ url }) => url === href);
  if (already) return already;
  const document = await readDocument(examination, href);
  if (new URL(href).origin === new URL(gate.endpoint.url).origin) return document;
  const about = document.kind === 'document' ? document.members['resource'] : undefined;
  if (about === examination.target.href || about === gate.endpoint.url) return document;
  if (isSameMachine(new URL(href), new URL(gate.endpoint.url)) && document.kind === 'document')
    return document;
  examination.find('resource-metadata-elsewhere', {
    message: `resource_metadata is ${address}, which is not at ${new URL(gate.endpoint.url).origin} and not about this endpoint.`,
    evidence: document.answer,
    url: gate.endpoint.url,
  });
  return undefined;
}

/** localhost and 127.0.0.1 with the same port: another spelling of the same server. */
function isSameMachine(one: URL, other: URL): boolean {
  const isLoopback = (url: URL) => /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  return isLoopback(one) && isLoopback(other) && one.port === other.port;
}

function checkForms(examination: Examination, used: Found, path: Document, root: Document): void {
  if (path.kind !== 'document') {
    reportPathForm(examination, path);
    return;
  }
  for (const other of [path, root]) {
    if (other.kind !== 'document' || other.url === used.url) continue;
    const differs = ['resource', 'authorization_servers'].filter(
      (name) => JSON.stringify(other.members[name]) !== JSON.stringify(used.members[name]),
    );
    if (differs.length === 0) continue;
    if (other === root && isNeighbour(other, used)) {
      examination.note(
        'resource-metadata',
        `The form without path is about ${shown(other.members['resource'])}, another endpoint of this host.`,
      );
      continue;
    }
    examination.find('prm-forms-differ', {
      message: `${other.url} and ${used.url} differ in ${differs.join(' and ')}.`,
      evidence: differs
        .map((name) => `${name}: ${shown(used.members[name])} and ${shown(other.members[name])}`)
        .join('; '),
      url: other.url,
    });
  }
}

/** Several endpoints on one host: the form without path can be about only one of them. */
function isNeighbour(root: Found, used: Found): boolean {
  const [one, other] = [root.members['resource'], used.members['resource']];
  if (typeof one !== 'string' || typeof other !== 'string' || one === other) return false;
  if (!URL.canParse(one) || !URL.canParse(other)) return false;
  return new URL(one).origin === new URL(other).origin;
}

function reportPathForm(examination: Examination, path: Document): void {
  if (path.kind === 'needs-token' || path.kind === 'not-json') {
    reportProblem(examination, path, 'The form with the path of the endpoint');
    return;
  }
  examination.find('prm-path-form-missing', {
    message: 'The form with the path of the endpoint has no document.',
    evidence: path.answer,
    url: path.url,
  });
}

function reportProblem(examination: Examination, document: Document, where: string): void {
  const seen = { evidence: document.answer, url: document.url, headers: ['content-type'] };
  switch (document.kind) {
    case 'needs-token':
      examination.find('prm-needs-token', { ...seen, message: `${where} asks for a token.` });
      return;
    case 'not-json':
      examination.find('prm-not-json', {
        ...seen,
        message: `${where} answers 200 with something that is not a JSON object of the type application/json.`,
      });
      return;
    case 'missing':
    case 'unreachable':
      examination.find('prm-missing', { ...seen, message: `${where} has no document.` });
      return;
    case 'document':
      return;
  }
}

const PLACEHOLDER = /[<>{}]|^https?:\/+https?:|\bYOUR[_-]|\byour_|REPLACE_|CHANGE_?ME|^\$/;

/** False: the document cannot be judged further. */
function checkPlaceholders(examination: Examination, { members, url }: Found): boolean {
  const values = [members['resource'], ...(stringsOf(members['authorization_servers']) ?? [])];
  const left = values.find((value) => typeof value === 'string' && PLACEHOLDER.test(value));
  if (left === undefined) return true;
  examination.find('prm-placeholder', {
    message: `The document holds ${shown(left)}, which is no address.`,
    evidence: `${url}: ${shown({ resource: members['resource'], authorization_servers: members['authorization_servers'] })}`,
    url,
  });
  return false;
}

/** False: a token for what it names must not come here. */
function checkResource(
  examination: Examination,
  { members, url }: Found,
  endpoint: string,
): boolean {
  const { resource } = members;
  const typed = examination.target;
  if (typeof resource !== 'string' || resource === '') {
    examination.find('prm-resource-missing', {
      message: 'The document has no resource.',
      evidence: `${url}: resource is ${shown(resource)}`,
      url,
    });
    return true;
  }
  const href = URL.canParse(resource) ? new URL(resource).href : resource;
  if (href === typed.href || href === endpoint) return true;
  if (isAncestor(href, typed)) {
    examination.note(
      'resource-metadata',
      `resource is ${resource}, a parent of the endpoint; strict clients want the address of the endpoint itself.`,
    );
    return true;
  }
  const bySlash = href.replace(/\/$/, '') === typed.href.replace(/\/$/, '');
  examination.find('prm-resource-mismatch', {
    message: `resource is ${shown(resource)}, and the endpoint is ${typed.href}.`,
    evidence: `${url}: resource is ${shown(resource)}`,
    url,
    ...(bySlash ? { severity: 'warning' as const } : {}),
  });
  return bySlash;
}

function isAncestor(resource: string, endpoint: URL): boolean {
  if (!URL.canParse(resource)) return false;
  const { origin, pathname, search } = new URL(resource);
  const folder = pathname.endsWith('/') ? pathname : `${pathname}/`;
  // /mcp/ is no parent of /mcp, it is another spelling.
  return (
    origin === endpoint.origin &&
    search === '' &&
    pathname !== `${endpoint.pathname}/` &&
    `${endpoint.pathname}/`.startsWith(folder) &&
    `${endpoint.pathname}/` !== folder
  );
}

function checkAuthorizationServers(
  examination: Examination,
  { members, url }: Found,
): string | undefined {
  const named = stringsOf(members['authorization_servers']) ?? [];
  const usable = named.filter(
    (one) => URL.canParse(one) && /^https?:$/.test(new URL(one).protocol),
  );
  const [first] = usable;
  if (first === undefined) {
    examination.find('prm-authorization-servers-missing', {
      message: 'The document names no authorization server that could be asked.',
      evidence: `${url}: authorization_servers is ${shown(members['authorization_servers'])}`,
      url,
    });
    return undefined;
  }
  const insecure = usable.find((one) => isInsecure(new URL(one)));
  if (insecure !== undefined)
    examination.find('prm-authorization-server-insecure', {
      message: `The authorization server ${insecure} is named without https.`,
      evidence: `${url}: authorization_servers is ${shown(named)}`,
      url,
    });
  if (usable.length > 1)
    examination.note(
      'resource-metadata',
      `Of ${usable.length} authorization servers the first is examined.`,
    );
  return insecure === first ? undefined : first;
}

function checkDetails(examination: Examination, { members, url }: Found): void {
  const methods = stringsOf(members['bearer_methods_supported']);
  if (methods && (methods.includes('query') || !methods.includes('header')))
    examination.find('prm-query-tokens', {
      message: `bearer_methods_supported is ${shown(methods)}.`,
      evidence: `${url}: bearer_methods_supported is ${shown(methods)}`,
      url,
    });
  if (stringsOf(members['scopes_supported'])?.includes('offline_access'))
    examination.find('prm-offline-access', {
      message: 'scopes_supported lists offline_access.',
      evidence: `${url}: scopes_supported is ${shown(members['scopes_supported'])}`,
      url,
    });
}
