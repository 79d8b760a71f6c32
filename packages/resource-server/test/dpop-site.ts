import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { McpServerOptions } from '../src/index.ts';
import { type FakeIssuer, serverUrl, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import {
  type Answer,
  challengeOf,
  declaration,
  type Guarded,
  startGuarded,
} from '../src/testing/guarded-server.ts';

export type Holder = { readonly privateKey: CryptoKey; readonly jwk: JWK; readonly jkt: string };

export async function newHolder(alg = 'ES256'): Promise<Holder> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  return { privateKey, jwk, jkt: await calculateJwkThumbprint(jwk) };
}

export type Site = {
  readonly issuer: FakeIssuer;
  readonly server: Guarded;
  /** Whose key the token is bound to. */
  readonly holder: Holder;
  readonly token: string;
};

export async function startSite(
  t: TestContext,
  holder: Holder,
  dpop: McpServerOptions['dpop'],
  more: Partial<McpServerOptions> = {},
): Promise<Site> {
  const issuer = await startFakeIssuer(t);
  const own = { ...(dpop === undefined ? {} : { dpop }), ...more };
  const server = await startGuarded(t, declaration(issuer, own));
  return { issuer, server, holder, token: await issuer.token({ cnf: { jkt: holder.jkt } }) };
}

export type Changes = {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly by?: Holder;
};

/** A proof for GET of the endpoint at this moment, unless something is changed. */
export function proofOf({ issuer, token, holder }: Site, changes: Changes = {}): Promise<string> {
  const { claims = {}, header = {}, by = holder } = changes;
  const payload = {
    jti: randomUUID(),
    htm: 'GET',
    htu: serverUrl,
    iat: Math.floor(issuer.clock.now.getTime() / 1_000),
    ath: createHash('sha256').update(token).digest('base64url'),
    ...claims,
  };
  return new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: by.jwk, ...header })
    .sign(by.privateKey);
}

export function get(
  { server, token }: Site,
  proofs: readonly string[],
  more: { path?: string; scheme?: string; token?: string } = {},
): Promise<Answer> {
  return server.send({
    ...(more.path === undefined ? {} : { path: more.path }),
    headers: [
      ['Authorization', `${more.scheme ?? 'DPoP'} ${more.token ?? token}`],
      ...proofs.map((proof) => ['DPoP', proof] as const),
    ],
  });
}

function schemeOf(answer: Answer): string {
  return (answer.headers['www-authenticate'] ?? '').split(' ')[0] ?? '';
}

/** The error of a refusal in the scheme DPoP, and the reason in the log. */
export function refusalOf(site: Site, answer: Answer): (string | number | undefined)[] {
  assert.equal(schemeOf(answer), 'DPoP', answer.headers['www-authenticate']);
  const { error, algs } = challengeOf(answer);
  assert.match(algs ?? '', /^ES256 /);
  assert.equal(site.server.calls.length, 0);
  return [answer.status, error, site.server.events.at(-1)?.reason];
}
