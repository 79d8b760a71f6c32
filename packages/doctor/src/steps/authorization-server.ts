import { type Document, readDocument } from '../document.ts';
import type { Examination } from '../examination.ts';
import { examineAuthorizationEndpoints } from './authorization-endpoints.ts';
import { checkIssuer, checkMetadata } from './authorization-server-metadata.ts';
import type { Gate } from './challenge.ts';
import type { Resource } from './resource-metadata.ts';

/** An authorization server whose metadata could be read. */
export type AuthorizationServer = {
  /** As the resource names it; a client that follows the specifications knows no other. */
  readonly issuer: string;
  readonly metadataUrl: string;
  readonly metadata: Readonly<Record<string, unknown>>;
};

type Found = Extract<Document, { kind: 'document' }>;

/** Finds the metadata of the authorization server at each address that clients try, and judges it. */
export async function examineAuthorizationServer(
  examination: Examination,
  gate: Gate,
  resource: Resource,
): Promise<AuthorizationServer | undefined> {
  const issuer = resource.authorizationServer;
  const server =
    issuer === undefined
      ? await fallback(examination, gate, resource)
      : await discover(examination, issuer);
  if (!server) return undefined;
  checkMetadata(examination, server, resource);
  await examineAuthorizationEndpoints(examination, server);
  return server;
}

/** The addresses of metadata for an issuer, in the order of the MCP specification. */
export function metadataAddresses(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    ...new Set([
      `${origin}/.well-known/oauth-authorization-server${path}`,
      `${origin}/.well-known/openid-configuration${path}`,
      `${origin}${path}/.well-known/openid-configuration`,
    ]),
  ];
}

async function discover(
  examination: Examination,
  issuer: string,
): Promise<AuthorizationServer | undefined> {
  examination.begin('authorization-server');
  const documents: Document[] = [];
  for (const address of metadataAddresses(issuer)) {
    const document = await readDocument(examination, address);
    documents.push(document);
    // Without a connection the other addresses of the host have none either.
    if (document.kind === 'unreachable' && document.answer.kind === 'failed') break;
  }
  const found = documents.filter((document): document is Found => document.kind === 'document');
  const [first] = found;
  if (!first) {
    reportMissing(examination, issuer, documents);
    return undefined;
  }
  checkEarlierForms(examination, documents, first);
  checkIssuer(examination, issuer, found);
  examination.note('authorization-server', `The metadata of ${issuer} is at ${first.url}.`);
  return { issuer, metadataUrl: first.url, metadata: first.members };
}

function reportMissing(
  examination: Examination,
  issuer: string,
  documents: readonly Document[],
): void {
  const page = documents.find(({ kind }) => kind === 'not-json');
  const down = documents.every(({ kind }) => kind === 'unreachable');
  const shownOne = page ?? documents[0];
  const seen = {
    evidence: shownOne?.answer ?? issuer,
    url: shownOne?.url ?? issuer,
    headers: ['content-type'],
  };
  if (down)
    examination.find('as-unreachable', {
      ...seen,
      message: `The authorization server ${issuer} does not answer.`,
    });
  else if (page)
    examination.find('as-metadata-not-json', {
      ...seen,
      message: 'The metadata address answers 200 with something that is not a JSON object.',
    });
  else
    examination.find('as-metadata-missing', {
      message: `None of the ${documents.length} addresses for ${issuer} has a document.`,
      evidence: documents
        .map(
          ({ url, answer }) =>
            `${url}: ${answer.kind === 'answer' ? answer.status : answer.detail}`,
        )
        .join('; '),
      url: seen.url,
    });
}

/** A page with status 200 in the place of an earlier form ends the search of many clients. */
function checkEarlierForms(
  examination: Examination,
  documents: readonly Document[],
  first: Found,
): void {
  const page = documents.slice(0, documents.indexOf(first)).find(({ kind }) => kind === 'not-json');
  if (page)
    examination.find('as-metadata-not-json', {
      message: `${page.url} answers 200 with something that is not a JSON object, before clients come to ${first.url}.`,
      evidence: page.answer,
      headers: ['content-type'],
    });
}

/** Revision 2025-03-26: without resource metadata the MCP server's own origin is asked. */
async function fallback(
  examination: Examination,
  gate: Gate,
  resource: Resource,
): Promise<AuthorizationServer | undefined> {
  if (resource.url !== undefined) return undefined;
  const { origin } = new URL(gate.endpoint.url);
  const document = await readDocument(
    examination,
    `${origin}/.well-known/oauth-authorization-server`,
  );
  if (document.kind !== 'document') return undefined;
  examination.begin('authorization-server');
  examination.note(
    'authorization-server',
    `Without resource metadata, ${document.url} was found as clients of revision 2025-03-26 find it.`,
  );
  return {
    issuer: origin,
    metadataUrl: document.url,
    metadata: document.members,
  };
}
