import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const ALGORITHMS = ['RS256', 'ES256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export const RESOURCE_ID = 'res_1234567890';
export const SERVER_URL = 'http://localhost:3333/mcp';

/** Signs tokens like those of Gatewarden, and serves what their verifiers ask for: keys and a revocation feed. */
export type TokenIssuer = {
  /** E. */
  readonly url: string;
  readonly jwks: { readonly keys: readonly Record<string, unknown>[] };
  /** A token that nobody has seen; `claims` replace its own. */
  token(algorithm: Algorithm, claims?: Readonly<Record<string, unknown>>): string;
  close(): Promise<void>;
};

type Key = { readonly kid: string; readonly privateKey: KeyObject; readonly jwk: object };

function newKey(alg: Algorithm): Key {
  const { privateKey, publicKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = `snk_${alg}`;
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } };
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function signed({ kid, privateKey }: Key, alg: Algorithm, typ: string, claims: object): string {
  const input = `${part({ alg, typ, kid })}.${part(claims)}`;
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' as const };
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
}

export async function startTokenIssuer(): Promise<TokenIssuer> {
  const keys = { RS256: newKey('RS256'), ES256: newKey('ES256') };
  const jwks = { keys: ALGORITHMS.map((alg) => ({ ...keys[alg].jwk })) };
  const feedPath = `/resources/${RESOURCE_ID}/revocations`;
  const waiting = new Set<NodeJS.Timeout>();
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', url);
    if (pathname === '/keys')
      response.setHeader('content-type', 'application/json').end(JSON.stringify(jwks));
    else if (pathname === feedPath) later(Number(searchParams.get('wait') ?? 0), response);
    else response.writeHead(404).end();
  });
  function later(waitSeconds: number, response: ServerResponse): void {
    const timer = setTimeout(() => {
      waiting.delete(timer);
      response.setHeader('content-type', 'application/jwt').end(feed());
    }, waitSeconds * 1000);
    waiting.add(timer.unref());
  }
  const nowSeconds = (): number => Math.floor(Date.now() / 1000);
  function feed(): string {
    const now = nowSeconds();
    const claims = { iss: url, aud: `${url}${feedPath}`, iat: now, exp: now + 60 };
    const empty = { epoch: 'bench', seq: 0, since: 0, entries: [] };
    return signed(keys.RS256, 'RS256', 'gatewarden-revocations+jwt', { ...claims, ...empty });
  }
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on a port
  return {
    url,
    jwks,
    token(algorithm, claims = {}) {
      const now = nowSeconds();
      return signed(keys[algorithm], algorithm, 'at+jwt', {
        iss: url,
        sub: 'usr_104857600000123456',
        aud: [SERVER_URL, RESOURCE_ID],
        client_id: 'skc_104857600000654321',
        exp: now + 3600,
        iat: now,
        jti: `tkn_${randomUUID()}`,
        scope: 'todo:read todo:write',
        scopes: ['todo:read', 'todo:write'],
        org_id: 'org_104857600000111111',
        oid: 'org_104857600000111111',
        sid: 'ses_104857600000222222',
        rvk: ['g4bQ0wq1mVtR', 'u7Yd2kLpXcNz', 'c9Hs5tGfWbJe'],
        ...claims,
      });
    },
    close() {
      for (const timer of waiting) clearTimeout(timer);
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done()));
    },
  };
}
