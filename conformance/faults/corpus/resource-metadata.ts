import { type Fault, PUBLIC, resourceMembers } from '../fault.ts';
import { html, json } from '../http.ts';
import { list, resourceDocument, resourceMetadata } from '../probe.ts';

const WELL_KNOWN = '/.well-known/oauth-protected-resource';
const step = 'resource-metadata';

/** Faults of the protected resource metadata (RFC 9728). */
export const RESOURCE_METADATA: readonly Fault[] = [
  {
    id: 'prm-missing',
    step,
    wrong: 'The challenge names a document that nobody serves.',
    change: () => ({
      resourceFront: async (request, next) =>
        request.path.startsWith(WELL_KNOWN) ? json(404, { message: 'Not found' }) : next(),
    }),
    visible: async (at) => (await resourceMetadata(at)).status === 404,
  },
  {
    id: 'prm-path-form-missing',
    step,
    wrong: 'Only the form without the path of the endpoint is served.',
    change: ({ parts }) => ({
      resourceFront: async (request, next) =>
        request.path === `${WELL_KNOWN}/mcp` ? json(404, { message: 'Not found' }) : next(),
      refuse: (refusal) => {
        const answer = parts.refuse(refusal);
        const good = answer.headers['www-authenticate'] ?? '';
        const rootForm = good.replace(`${WELL_KNOWN}/mcp`, WELL_KNOWN);
        return { ...answer, headers: { ...answer.headers, 'www-authenticate': rootForm } };
      },
    }),
    visible: async (at) =>
      (await resourceMetadata(at)).status === 404 &&
      (await resourceMetadata(at, '')).status === 200,
  },
  {
    id: 'prm-not-json',
    step,
    wrong: 'The single page application answers every unknown path with its page and status 200.',
    change: () => ({
      resourceFront: async (request, next) =>
        request.path.startsWith(WELL_KNOWN) ? html(200, 'To-do list') : next(),
    }),
    visible: async (at) =>
      (await resourceMetadata(at)).headers.get('content-type')?.startsWith('text/html') === true,
  },
  {
    id: 'prm-needs-token',
    step,
    wrong:
      'The check of the token covers the whole server, also the document that tells where to get one.',
    change: ({ parts }) => ({
      resourceFront: async (request, next) =>
        request.path.startsWith(WELL_KNOWN) && request.headers['authorization'] === undefined
          ? parts.refuse({ status: 401, scope: 'todo:read' })
          : next(),
    }),
    visible: async (at) => (await resourceMetadata(at)).status === 401,
  },
  {
    id: 'prm-resource-missing',
    step,
    wrong: 'The document has no `resource`.',
    change: resourceMembers(() => ({ resource: undefined })),
    visible: async (at) => !('resource' in (await resourceDocument(at))),
  },
  {
    id: 'prm-resource-mismatch',
    step,
    wrong:
      '`resource` is the address of the server inside the cluster, and strict clients go no further.',
    seen: 'anthropics/claude-ai-mcp#565',
    change: resourceMembers(() => ({ resource: 'http://todo-mcp.default.svc:8080/mcp' })),
    visible: async (at) => String((await resourceDocument(at))['resource']).includes('.svc'),
  },
  {
    id: 'prm-resource-mismatch',
    name: 'prm-resource-http-behind-proxy',
    step,
    wrong:
      'Behind the proxy that ends TLS the server builds `resource` from the request and says http.',
    seen: 'tuist/tuist#9663',
    names: PUBLIC,
    change: resourceMembers(({ mcp }) => ({ resource: mcp.replace('https:', 'http:') })),
    visible: async (at) => String((await resourceDocument(at))['resource']).startsWith('http:'),
  },
  {
    id: 'prm-placeholder',
    step,
    wrong: 'A host name that already has its scheme was put behind another one.',
    change: resourceMembers(({ issuer }) => ({
      authorization_servers: [`https://${issuer.replace('http:', 'https:')}`],
    })),
    visible: async (at) =>
      String((await resourceDocument(at))['authorization_servers']).startsWith('https://https://'),
  },
  {
    id: 'prm-placeholder',
    name: 'prm-placeholder-copied',
    step,
    wrong: 'The document was copied from the documentation and not filled in.',
    change: resourceMembers(() => ({
      authorization_servers: ['https://<YOUR_ENVIRONMENT_URL>/resources/<RESOURCE_ID>'],
    })),
    visible: async (at) =>
      String((await resourceDocument(at))['authorization_servers']).includes('<YOUR'),
  },
  {
    id: 'prm-authorization-servers-missing',
    step,
    wrong: 'The document names no authorization server.',
    change: resourceMembers(() => ({ authorization_servers: undefined })),
    visible: async (at) => list(await resourceDocument(at), 'authorization_servers').length === 0,
  },
  {
    id: 'prm-authorization-server-insecure',
    step,
    wrong: 'The authorization server is named by an http address.',
    names: PUBLIC,
    change: resourceMembers(({ issuer }) => ({
      authorization_servers: [issuer.replace('https:', 'http:')],
    })),
    visible: async (at) =>
      String((await resourceDocument(at))['authorization_servers']).startsWith('http:'),
  },
  {
    id: 'prm-forms-differ',
    step,
    wrong: 'The form without path still names the authorization server of last year.',
    change: ({ parts, place }) => ({
      resourceFront: async (request, next) =>
        request.path === WELL_KNOWN
          ? json(
              200,
              { ...parts.resourceMetadata(), authorization_servers: [`${place.issuerOrigin}/old`] },
              { 'access-control-allow-origin': '*' },
            )
          : next(),
    }),
    visible: async (at) =>
      String((await resourceDocument(at))['authorization_servers']) !==
      String((await resourceDocument(at, ''))['authorization_servers']),
  },
  {
    id: 'prm-query-tokens',
    step,
    wrong: 'The document invites clients to send their token in the address.',
    change: resourceMembers(() => ({ bearer_methods_supported: ['header', 'query'] })),
    visible: async (at) =>
      list(await resourceDocument(at), 'bearer_methods_supported').includes('query'),
  },
  {
    id: 'prm-offline-access',
    step,
    wrong: '`offline_access` is listed as if it were a permission of this server.',
    change: resourceMembers(() => ({
      scopes_supported: ['todo:read', 'todo:delete', 'offline_access'],
    })),
    visible: async (at) =>
      list(await resourceDocument(at), 'scopes_supported').includes('offline_access'),
  },
];
