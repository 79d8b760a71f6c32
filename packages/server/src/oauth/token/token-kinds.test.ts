import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { FastifyRequest } from 'fastify';
import { decodeJwt } from 'jose';
import { verifyOwnJwt } from '../../keys/own-jwt.ts';
import { signJwt } from '../../keys/signing-keys.ts';
import { namesSession } from '../../login/logout-hint.ts';
import type { Session } from '../../sessions/sessions.ts';
import { TOKEN_KINDS } from '../token-kinds.ts';
import { authenticateCaller } from './authenticate-caller.ts';
import { managementCaller } from './management-caller.ts';
import {
  cleanUpAtTheEnd,
  makeClient,
  makeCode,
  makeServer,
  post,
  redeem,
  type Site,
  startSite,
  type TestClient,
} from './test-site.ts';

// AS-145: every kind of JWT that an environment signs, at everything of ours that reads one.

const atTheEnd = cleanUpAtTheEnd();
let site: Site;
before(async () => {
  site = await startSite(atTheEnd);
});

type Verifier =
  | 'userinfo of E'
  | 'userinfo of R'
  | 'introspection'
  | 'revocation'
  | 'management API'
  | 'logout hint'
  | 'a verifier of the client id'
  | 'refresh'
  | 'client assertion';

/** What each kind is for; at everything else it is nothing. */
const RIGHT: Readonly<Record<string, readonly Verifier[]>> = {
  'access token of R': ['userinfo of R', 'introspection', 'revocation'],
  'access token of R with typ JWT': ['userinfo of R', 'introspection', 'revocation'],
  'access token of an application': [
    'userinfo of E',
    'introspection',
    'revocation',
    'a verifier of the client id',
  ],
  'management token': ['introspection', 'revocation', 'management API'],
  'machine token': ['introspection', 'revocation'],
  'ID token of R': ['logout hint'],
  'ID token of an application': ['logout hint'],
  'logout token': [],
  'login from an identity provider': [],
  'revocation feed': [],
};

type Sample = { token: string; client: TestClient; issuer: string; sid: string; sub: string };

async function samples(): Promise<Record<string, Sample>> {
  const { ctx } = site;
  const plain = await makeServer(site, { settings: { userinfoForMcp: true } });
  const legacy = await makeServer(site, {
    settings: { userinfoForMcp: true, accessTokenTyp: 'JWT' },
  });
  const secret = { tokenEndpointAuthMethod: 'client_secret_post' } as const;
  const person = async (server: typeof plain | undefined) => {
    const client = await makeClient(site, {
      mcpServerId: server?.id,
      ...secret,
      ...(server ? {} : { kind: 'application', registration: 'admin' }),
    });
    const code = await makeCode(site, { server, client, scopes: ['openid'] });
    const issuer = server?.issuer ?? site.E;
    const { body } = await redeem(issuer, code, client, { client_secret: client.secret });
    const of = (token: unknown): Sample => ({
      token: String(token),
      client,
      issuer,
      sid: code.sessionId,
      sub: code.userId,
    });
    return { access: of(body['access_token']), id: of(body['id_token']) };
  };
  const machine = async (issuer: string, members: Parameters<typeof makeClient>[1]) => {
    const client = await makeClient(site, {
      registration: 'admin',
      redirectUris: [],
      grantTypes: ['client_credentials'],
      ...secret,
      ...members,
    });
    const { body } = await post(`${issuer}/oauth/token`, {
      grant_type: 'client_credentials',
      client_id: client.id,
      client_secret: client.secret,
    });
    return { token: String(body['access_token']), client, issuer, sid: '', sub: client.id };
  };
  const atR = await person(plain);
  const atLegacy = await person(legacy);
  const atE = await person(undefined);
  // Kinds that are made elsewhere or later, with every claim that an access or ID token has.
  const claims = { ...decodeJwt(atE.id.token), ...decodeJwt(atE.access.token) };
  const kind = async (typ: string): Promise<Sample> => ({
    ...atE.access,
    token: await signJwt(ctx, { typ, claims: { ...claims, aud: [atE.access.client.id] } }),
  });
  return {
    'access token of R': atR.access,
    'access token of R with typ JWT': atLegacy.access,
    'access token of an application': atE.access,
    'management token': await machine(site.E, {
      mcpServerId: undefined,
      kind: 'environment',
      managementApi: true,
    }),
    'machine token': await machine(plain.issuer, { mcpServerId: plain.id }),
    'ID token of R': atR.id,
    'ID token of an application': atE.id,
    'logout token': await kind(TOKEN_KINDS.logoutToken),
    'login from an identity provider': await kind(TOKEN_KINDS.idpInitiatedLogin),
    'revocation feed': await kind(TOKEN_KINDS.revocationFeed),
  };
}

async function acceptedBy({ token, client, issuer, sid, sub }: Sample): Promise<Verifier[]> {
  const { ctx } = site;
  const accepted: Verifier[] = [];
  const check = (verifier: Verifier, yes: boolean): void => {
    if (yes) accepted.push(verifier);
  };
  const userinfo = async (at: string): Promise<boolean> =>
    (await fetch(`${at}/oauth/userinfo`, { headers: { authorization: `Bearer ${token}` } }))
      .status === 200;
  const credentials = { client_id: client.id, client_secret: client.secret };
  const introspect = async (): Promise<boolean> =>
    (await post(`${site.E}/oauth/introspect`, { token, ...credentials })).body['active'] === true;
  check('userinfo of E', await userinfo(site.E));
  if (issuer !== site.E) check('userinfo of R', await userinfo(issuer));
  const active = await introspect();
  check('introspection', active);
  check('management API', (await managementCaller(ctx, `Bearer ${token}`)) !== undefined);
  const called = await authenticateCaller(
    ctx,
    new Headers({ authorization: `Bearer ${token}` }),
    // The method is not looked at.
    {} as Parameters<typeof authenticateCaller>[2],
  ).catch(() => undefined);
  assert.equal(called !== undefined, accepted.includes('management API'));
  const hinted = await namesSession(
    ctx,
    // The members that are read.
    { raw: { url: `/oidc/logout?id_token_hint=${token}` }, headers: {} } as FastifyRequest,
    { id: sid, userId: sub } as Session,
  ).catch(() => false);
  check('logout hint', hinted);
  check(
    'a verifier of the client id',
    (await verifyOwnJwt(ctx, token, { typ: 'at+jwt', audience: client.id })) !== undefined,
  );
  const refreshed = await post(`${issuer}/oauth/token`, {
    grant_type: 'refresh_token',
    refresh_token: token,
    ...credentials,
  });
  check('refresh', refreshed.status === 200);
  const asserted = await post(`${issuer}/oauth/token`, {
    grant_type: 'client_credentials',
    client_id: client.id,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: token,
  });
  check('client assertion', asserted.status === 200);
  await post(`${site.E}/oauth/revoke`, { token, ...credentials });
  check('revocation', active && !(await introspect()));
  return accepted;
}

test('every kind of JWT of an environment passes where it belongs and nowhere else (AS-145, RFC 8725 section 3.11)', async () => {
  const made = await samples();
  assert.deepEqual(Object.keys(made).sort(), Object.keys(RIGHT).sort());
  for (const [kind, sample] of Object.entries(made)) {
    const accepted = await acceptedBy(sample);
    assert.deepEqual(accepted.sort(), [...(RIGHT[kind] ?? [])].sort(), kind);
  }
});

test('no two kinds share a typ, but for the setting that asks for it (AS-145)', () => {
  const types = Object.values(TOKEN_KINDS);
  assert.equal(new Set(types.map((typ) => typ.toLowerCase())).size, types.length);
});
