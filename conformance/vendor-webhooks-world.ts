import assert from 'node:assert/strict';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  pkce,
  register,
  sql,
  tellExpiringCertificates,
  verifyDomain,
} from '@gatewarden/server/testing';
import type { VendorSite } from './vendor-site.ts';

/** What the rows of the table have in common. */
export type World = VendorSite & {
  readonly rest: (verb: string, path: string, body?: unknown) => Promise<Json>;
  /** Ids by name; rows leave theirs for later ones. */
  readonly ids: Record<string, string>;
};
// biome-ignore lint/suspicious/noExplicitAny: answers of an API in tests
type Json = any;

export const ADA = {
  userName: 'ada@acme.example',
  externalId: 'okta-1',
  email: 'ada@acme.example',
  givenName: 'Ada',
  familyName: 'Lovelace',
  active: true,
  attributes: { department: 'Engines' },
  raw: { userName: 'ada@acme.example' },
};
export const CREW = { displayName: 'Crew', externalId: 'okta-g1', raw: { displayName: 'Crew' } };

export const directoryKey = ({ gatewarden, ids }: World) => ({
  environmentId: gatewarden.environment.id,
  organizationId: ids['acme'] ?? '',
  id: ids['directory'] ?? '',
});

/** Claims a domain that DNS has to prove, and asks DNS, which says this of it. */
export async function prove(world: World, domain: string, isThere: boolean): Promise<void> {
  const { sdk, gatewarden, ids } = world;
  const organizationId = ids['acme'] ?? '';
  const made = await sdk.domain.createDomain(organizationId, domain, {
    domainType: 'ORGANIZATION_DOMAIN',
  });
  const claim = made.domain ?? assert.fail('no domain');
  ids['domain'] = claim.id;
  const texts = isThere ? [claim.txtRecordSecret] : [];
  const ctx = { ...gatewarden.context(), findTxt: async () => ({ kind: 'found', texts }) as const };
  const outcome = await verifyDomain(ctx, { organizationId, id: claim.id });
  assert.equal(outcome, isThere ? 'verified' : 'not-verified');
}

/** Somebody signs in on the hosted pages, in a new browser, for a client of an MCP server. */
export async function signIn({ gatewarden, ids }: World): Promise<void> {
  const { url, origin, mcpServer, database } = gatewarden;
  const callback = 'http://127.0.0.1:7777/cb';
  const server = await mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  const { body } = await register(url, server.id, {
    client_name: 'Test client',
    redirect_uris: [callback],
    token_endpoint_auth_method: 'none',
  });
  const target = authorizeUrl(`${url}/resources/${server.id}`, {
    client_id: String(body['client_id']),
    redirect_uri: callback,
    code_challenge: pkce().challenge,
    state: 'st',
    scope: 'todo:read',
  });
  await authorizeWith(cookieBrowser(origin), target, 'hooks+sktest@example.com');
  const [person] = await database.rows<{ id: string }>(
    sql`select id from users where email_key = 'hooks+sktest@example.com'`,
  );
  ids['signedUp'] = person?.id ?? assert.fail('nobody signed up');
}

/** A certificate of the connection's identity provider has ten days left. */
export async function age({ gatewarden, ids }: World): Promise<void> {
  const expiryTime = new Date(gatewarden.clock.now().getTime() + 10 * 86_400_000).toISOString();
  const settings = JSON.stringify({
    idpCertificates: [{ id: 'cert_100000000000000', expiryTime }],
  });
  await gatewarden.database.rows(sql`
    update connections set settings = settings || ${settings}::text::jsonb where id = ${ids['connection']}`);
  await tellExpiringCertificates(gatewarden.app);
}

export const acme = ({ ids }: World): string => ids['acme'] ?? '';
