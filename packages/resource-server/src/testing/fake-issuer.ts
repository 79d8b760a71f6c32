import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { CompactSign, exportJWK, generateKeyPair, type JWK } from 'jose';
import { type FakeFeed, fakeFeed } from './fake-feed.ts';

export const resourceId = 'res_1234567890';
export const siblingId = 'res_9876543210';
export const serverUrl = 'http://localhost:3333/mcp';

export type SigningKey = {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
};

export type FakeIssuer = {
  /** E. */
  readonly url: string;
  readonly key: SigningKey;
  /** What `/keys` publishes; change it to rotate. */
  published: unknown[];
  /** How `/keys` answers instead of with the set. */
  answer: ((response: ServerResponse) => void) | undefined;
  /** Its revocation feed. */
  readonly feed: FakeFeed;
  /** How often `/keys` was asked. */
  fetches: number;
  readonly clock: { now: Date };
  advance(seconds: number): void;
  claims(overrides?: Record<string, unknown>): Record<string, unknown>;
  /** A valid access token unless something is overridden; `undefined` removes a member. */
  token(
    claims?: Record<string, unknown>,
    header?: Record<string, unknown>,
    key?: SigningKey,
  ): Promise<string>;
};

export async function newKey(kid: string, alg = 'RS256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** A stand-in for somebody's authorization server: publishes a key set and signs whatever a test asks for. */
export async function startFakeIssuer(t: TestContext, key?: SigningKey): Promise<FakeIssuer> {
  const first = key ?? (await newKey('snk_1'));
  const server = createServer((request, response) => {
    if (issuer.feed.handle(request, response)) return undefined;
    if (request.url !== '/keys') return response.writeHead(404).end();
    issuer.fetches += 1;
    if (issuer.answer) return issuer.answer(response);
    response.setHeader('content-type', 'application/json');
    return response.end(JSON.stringify({ keys: issuer.published }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: FakeIssuer = {
    url,
    key: first,
    published: [first.jwk],
    answer: undefined,
    feed: fakeFeed({ issuer: () => url, resourceId, now: () => issuer.clock.now, key: first }),
    fetches: 0,
    clock: { now: new Date('2026-11-02T10:00:00Z') },
    advance(seconds) {
      issuer.clock.now = new Date(issuer.clock.now.getTime() + seconds * 1_000);
    },
    claims(overrides = {}) {
      const now = Math.floor(issuer.clock.now.getTime() / 1_000);
      return {
        iss: url,
        sub: 'usr_1',
        aud: [serverUrl, resourceId],
        client_id: 'skc_1',
        exp: now + 3_600,
        iat: now,
        jti: 'tkn_1',
        scope: 'todo:read',
        scopes: ['todo:read'],
        ...overrides,
      };
    },
    token(claims = {}, header = {}, by = first) {
      const payload = JSON.stringify(issuer.claims(claims));
      const alg = String(header['alg'] ?? by.jwk.alg);
      return new CompactSign(new TextEncoder().encode(payload))
        .setProtectedHeader({ typ: 'at+jwt', kid: by.kid, ...header, alg })
        .sign(by.privateKey);
    },
  };
  return issuer;
}

/** `scope` and `scopes` as our tokens carry them. */
export function scopeClaims(scope: string): Record<string, unknown> {
  return { scope, scopes: scope.split(' ') };
}

/** Signs exact texts as RS256, where a library would refuse to write such a token. */
export async function signText(header: string, payload: string, by: SigningKey): Promise<string> {
  const input = `${part(header)}.${part(payload)}`;
  const signature = await crypto.subtle.sign(
    'RSASSA-PKCS1-v1_5',
    by.privateKey,
    new TextEncoder().encode(input),
  );
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}

/** An unsigned part of a token, from an object or from exact text. */
export function part(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString(
    'base64url',
  );
}
