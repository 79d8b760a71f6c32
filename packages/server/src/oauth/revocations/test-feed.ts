import assert from 'node:assert/strict';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import type { Cleanup } from '../../testing/databases.ts';
import { startTestGatewarden, type TestGatewarden, type TestOptions } from '../../testing.ts';
import { makeClient, makeCode, redeem, type Site, type TestClient } from '../token/test-site.ts';

/** For the tests of this folder: a whole server, and a follower that believes nothing. */
export type FeedSite = Site & { readonly gatewarden: TestGatewarden };

export async function startFeedSite(t: Cleanup, options: TestOptions = {}): Promise<FeedSite> {
  const gatewarden = await startTestGatewarden(t, options);
  const { app, database, url, origin } = gatewarden;
  const ctx = gatewarden.context();
  return { gatewarden, ctx, app, database, clock: { ahead: 0 }, E: url, origin };
}

export type Entry = {
  readonly seq: number;
  readonly until: number;
  readonly handle?: string;
  readonly jti?: string;
  readonly kid?: string;
  readonly before?: number;
};
export type Document = {
  readonly iat: number;
  readonly exp: number;
  readonly epoch: string;
  readonly seq: number;
  readonly since: number;
  readonly entries: readonly Entry[];
};
export type FeedAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly document: Document;
  /** For `after`. */
  readonly cursor: string;
};

/** One answer of a feed, with everything checked that a verifier checks. */
export async function feedOf(
  site: Pick<FeedSite, 'E' | 'ctx'>,
  serverId: string,
  query = '',
  origin = site.E,
): Promise<FeedAnswer> {
  const path = `/resources/${serverId}/revocations`;
  const response = await fetch(`${origin}${path}${query}`);
  const text = await response.text();
  const { status, headers } = response;
  assert.equal(status, 200, text);
  assert.equal(headers.get('content-type'), 'application/jwt');
  assert.ok(text.length <= 262_144);
  const { payload, protectedHeader } = await jwtVerify(
    text,
    createRemoteJWKSet(new URL(`${site.E}/keys`)),
    {
      algorithms: ['RS256'],
      typ: 'gatewarden-revocations+jwt',
      issuer: site.E,
      audience: `${site.E}${path}`,
      currentDate: site.ctx.now(),
    },
  );
  assert.deepEqual(Object.keys(protectedHeader).sort(), ['alg', 'kid', 'typ']);
  assert.deepEqual(Object.keys(payload).sort(), [
    'aud',
    'entries',
    'epoch',
    'exp',
    'iat',
    'iss',
    'seq',
    'since',
  ]);
  assert.equal(typeof payload.aud, 'string');
  const document = payload as unknown as Document; // its members were just compared
  assert.equal(document.exp, document.iat + 60);
  assert.ok(document.entries.every(({ seq }) => seq > document.since && seq <= document.seq));
  const cursor = `${document.epoch}.${document.seq}`;
  assert.equal(headers.get('etag'), `"${cursor}"`);
  return { status, headers, text, document, cursor };
}

/** What a verifier that follows the feed says of a token. */
export function isRefused(document: Document, accessToken: string, kid?: string): boolean {
  const { jti, rvk, iat = 0 } = decodeJwt(accessToken);
  const handles: unknown[] = Array.isArray(rvk) ? rvk : [];
  return document.entries.some(
    (entry) =>
      (entry.handle !== undefined && handles.includes(entry.handle)) ||
      (entry.jti !== undefined && entry.jti === jti) ||
      (entry.kid !== undefined && entry.kid === kid) ||
      (entry.before !== undefined && iat < entry.before),
  );
}

export type Connection = {
  readonly client: TestClient;
  readonly access: string;
  readonly refresh: string;
  readonly userId: string;
  readonly consentId: string;
  readonly sessionId: string;
  readonly code: Awaited<ReturnType<typeof makeCode>>;
};

/** A person's connection to a server, by a client of its own unless one is given. */
export async function connect(
  site: Site,
  server: Parameters<typeof makeCode>[1]['server'],
  given: { readonly client?: TestClient; readonly userId?: string } = {},
): Promise<Connection> {
  const client = given.client ?? (await makeClient(site, { mcpServerId: server?.id }));
  const code = await makeCode(site, {
    server,
    client,
    scopes: ['todo:read'],
    ...(given.userId === undefined ? {} : { userId: given.userId }),
  });
  const { status, body, text } = await redeem(server?.issuer ?? site.E, code, client);
  assert.equal(status, 200, text);
  const { userId, consentId, sessionId } = code;
  const [access, refresh] = [String(body['access_token']), String(body['refresh_token'])];
  return { client, access, refresh, userId, consentId, sessionId, code };
}
