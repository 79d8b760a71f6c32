import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { create, type JsonObject } from '@bufbuild/protobuf';
import { EnvironmentType } from '@gatewarden/contract/scalekit/v1/commons/commons_pb';
import { CreateEnvironmentRequestSchema } from '@gatewarden/contract/scalekit/v1/environments/environments_pb';
import { Agent, getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { ensureEnvironmentClient } from '../src/clients/manage-clients.ts';
import { allEnvironments } from '../src/environments/environments.ts';
import { ownHosts, refreshSites } from '../src/environments/sites.ts';
import { createEnvironmentRpc } from '../src/operations/create-environment.rpc.ts';
import { createEnvironment } from '../src/operations/create-environment.ts';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  pkce,
  sql,
  startTestGatewarden,
  type TestGatewarden,
  token,
} from '../src/testing.ts';
import { atHost, type HostAnswer, environmentSteps as steps } from './environment-steps.ts';
import { type Headers as CallHeaders, elsewhere, operator } from './every-caller.ts';
import { type Api, managementApi, managementToken, member, members, ok } from './management-api.ts';
import { newOrganization } from './organization-steps.ts';
import { newMember } from './user-steps.ts';

/** Credentials from the configuration: they are the first environment's alone. */
const CONFIGURED = { id: 'skc_100000000000000001', secret: 'configured-secret-of-the-first-0001' };

const cleanups: (() => Promise<void>)[] = [];
let gatewarden: TestGatewarden;
/** Another process on the same database. */
let other: TestGatewarden;
let api: Api;
/** The environment that the tests make. */
let made: JsonObject;
let host: string;

before(async (t) => {
  const later = { after: (work: () => Promise<void>) => void cleanups.push(work) };
  const config = { client: CONFIGURED };
  gatewarden = await startTestGatewarden(later, { engine: 'postgres', config });
  const { url, secretKeys, clock, openDatabase } = gatewarden;
  assert.ok(openDatabase);
  const database = await openDatabase();
  other = await startTestGatewarden(later, {
    config,
    with: { url, database, secretKeys, clock },
  });
  api = await managementApi(t as never, gatewarden);
  made = member(ok(await api(steps.create({ display_name: 'Staging' }))), 'environment');
  host = String(made['domain']);
});

after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const here = (path: string, sent?: Parameters<typeof atHost>[3]): Promise<HostAnswer> =>
  atHost(gatewarden.origin, host, path, sent);
const first = (): string => new URL(gatewarden.url).host;

async function tokenAt(at: string, client: { id: string; secret: string }): Promise<HostAnswer> {
  return await atHost(gatewarden.origin, at, '/oauth/token', {
    form: { grant_type: 'client_credentials', client_id: client.id, client_secret: client.secret },
  });
}

/** The client of the environment that was made, as development may read it again. */
async function itsClient(): Promise<{ id: string; secret: string }> {
  const environment = (await allEnvironments(gatewarden.app)).find(({ id }) => id === made['id']);
  assert.ok(environment);
  const app = { ...gatewarden.app, config: { ...gatewarden.app.config, client: undefined } };
  const { id, secret } = await ensureEnvironmentClient(app, environment);
  assert.ok(secret);
  return { id, secret };
}

async function soon(check: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail('it did not come to be within five seconds');
}

test('another environment is a name below the first one, made over the API and served at once', async () => {
  const id = String(made['id']);
  assert.match(id, /^env_[0-9]{15,19}$/);
  assert.deepEqual(
    [made['display_name'], made['type'], made['region_code'], host],
    ['Staging', 'DEV', 'US', `${id.replace('_', '-')}.${first()}`],
  );
  const metadata = await here('/.well-known/openid-configuration');
  assert.equal(metadata.body['issuer'], `http://${host}`);
  assert.equal(metadata.body['token_endpoint'], `http://${host}/oauth/token`);
  const keys = members((await here('/keys')).body, 'keys').map(({ kid }) => kid);
  const firsts = members((await atHost(gatewarden.origin, first(), '/keys')).body, 'keys');
  assert.equal(keys.length, 3);
  assert.ok(firsts.every(({ kid }) => !keys.includes(kid)));
  const roles = await gatewarden.database.rows<{ name: string }>(
    sql`select name from roles where environment_id = ${id} order by name`,
  );
  assert.deepEqual(
    roles.map(({ name }) => name),
    ['admin', 'member'],
  );
  const events = await gatewarden.database.rows<{ data: unknown }>(
    sql`select data from events where type = 'environment.created' and environment_id = ${gatewarden.environment.id}`,
  );
  assert.deepEqual(events[0]?.data, {
    id,
    display_name: 'Staging',
    url: `http://${host}`,
    type: 'DEVELOPMENT',
  });
});

test('a process that runs already serves a new environment without a restart, and tells no client to fetch from it (AS-142)', async () => {
  await soon(async () => (await atHost(other.origin, host, '/keys')).status === 200);
  for (const { database } of [gatewarden, other])
    assert.deepEqual([...ownHosts(database)].sort(), [first(), host].sort());
});

test('only the exact host of a request says which environment it means (host confusion, AS-5)', async () => {
  const id = host.split('.')[0] ?? '';
  const name = host.replace(/:[0-9]+$/, '');
  const strange = [
    `${id}x.${first()}`,
    `x.${host}`,
    `${name}:1`,
    `${name}.`,
    `${name}.evil.example`,
    `env-100000000000000001.${first()}`,
    'evil.example',
  ];
  for (const at of strange)
    assert.equal((await atHost(gatewarden.origin, at, '/keys')).status, 404, at);
  // Names are the same in any case; what a proxy says of them is not looked at.
  const loud = await atHost(
    gatewarden.origin,
    host.toUpperCase(),
    '/.well-known/openid-configuration',
  );
  assert.equal(loud.body['issuer'], `http://${host}`);
  const forwarded = await atHost(gatewarden.origin, first(), '/.well-known/openid-configuration', {
    headers: { 'x-forwarded-host': host, forwarded: `host=${host}` },
  });
  assert.equal(forwarded.body['issuer'], gatewarden.url);
  for (const at of [host, first(), 'evil.example'])
    assert.equal((await atHost(gatewarden.origin, at, '/readyz')).status, 200, at);
});

test('a token of one environment is nothing at the other, and neither are its client’s credentials (tenant confusion, AS-149, AS-150)', async () => {
  const its = await itsClient();
  assert.notEqual(its.id, CONFIGURED.id);
  const minted = await tokenAt(host, its);
  assert.equal(minted.status, 200, minted.text);
  const itsToken = `Bearer ${String(minted.body['access_token'])}`;
  const firsts = `Bearer ${await managementToken(gatewarden)}`;
  const list = (at: string, authorization: string) =>
    atHost(gatewarden.origin, at, '/api/v1/organizations', { headers: { authorization } });
  assert.equal((await list(host, itsToken)).status, 200);
  assert.equal((await list(first(), firsts)).status, 200);
  for (const [at, token] of [
    [host, firsts],
    [first(), itsToken],
  ] as const) {
    const { status, body } = await list(at, token);
    assert.deepEqual([status, body['code']], [401, 16], at);
  }
  for (const [at, client] of [
    [host, CONFIGURED],
    [first(), its],
  ] as const) {
    const { status, body } = await tokenAt(at, client);
    assert.deepEqual([status, body['error']], [401, 'invalid_client'], at);
  }
});

test('things of one environment are unknown at the other, exactly like those that do not exist (tenant confusion)', async () => {
  const organization = String((await newOrganization(api))['id']);
  const user = String((await newMember(api, organization))['id']);
  const server = await gatewarden.mcpServer();
  const minted = await tokenAt(host, await itsClient());
  const headers = { authorization: `Bearer ${String(minted.body['access_token'])}` };
  const alike = (text: string): string => text.replace(/[a-z]+_[0-9a-z]{15,19}/g, 'ID');
  const paths: readonly (readonly [path: string, id: string, prefix: string])[] = [
    ['/api/v1/organizations/', organization, 'org'],
    ['/api/v1/users/', user, 'usr'],
    ['/api/v1/resources/', server.id, 'res'],
    ['/api/v1/clients/', gatewarden.client.id, 'skc'],
  ];
  for (const [path, id, prefix] of paths) {
    const found = await here(`${path}${id}`, { headers });
    const unknown = await here(`${path}${prefix}_100000000000000009`, { headers });
    assert.deepEqual([found.status, found.body['code']], [404, 5], path);
    assert.equal(alike(found.text), alike(unknown.text), path);
  }
  const settings = await here(
    `/api/v1/environments/${gatewarden.environment.id}/session-settings`,
    {
      headers,
    },
  );
  assert.deepEqual([settings.status, settings.body['code']], [404, 5]);
  assert.equal((await here(`/resources/${server.id}/oauth/authorize`)).status, 404);
  assert.deepEqual(
    members((await here('/api/v1/organizations', { headers })).body, 'organizations'),
    [],
  );
});

/** A page of ours at another host: the cookie is that of the host. */
function asOperator(headers: CallHeaders, at: string): CallHeaders {
  return { ...headers, origin: `http://${at}` };
}

test('operators see the environments that they operate; each is changed at its own host, by those who operate it', async () => {
  const owner = await operator(gatewarden, 'owner', 'owner@example.com');
  const viewer = await operator(gatewarden, 'viewer', 'viewer@example.com');
  const foreign = await elsewhere(gatewarden);
  await refreshSites(gatewarden.app);
  assert.ok(foreign.organization);
  const get = (headers: CallHeaders, path: string) =>
    atHost(gatewarden.origin, first(), `/api/v1/environments${path}`, { headers });
  const idsFor = async ({ headers }: { headers: CallHeaders }): Promise<unknown[]> => {
    const { body } = await get(headers, '');
    const ids = members(body, 'environments').map(({ id }) => id);
    assert.equal(body['total_size'], ids.length);
    return ids;
  };
  const own = gatewarden.environment.id;
  assert.deepEqual(await idsFor(owner), [own], 'it was made before the owner came');
  const outcome = await createEnvironment(gatewarden.context(), {
    displayName: 'Of the owner',
    kind: 'DEVELOPMENT',
  });
  assert.equal(outcome.kind, 'created');
  const { id } = outcome.environment;
  assert.deepEqual(await idsFor(owner), [id, own]);
  assert.deepEqual(await idsFor(viewer), [own]);
  assert.equal((await get(owner.headers, `/${id}`)).status, 200);
  for (const [{ headers }, unseen] of [
    [viewer, id],
    [owner, String(made['id'])],
    [owner, 'env_100000000000000001'],
  ] as const) {
    const { status, body } = await get(headers, `/${unseen}`);
    assert.deepEqual([status, body['code']], [404, 5]);
  }
  assert.equal((await get(owner.headers, '?page_token=x')).status, 400);
  assert.equal((await get(owner.headers, '?page_size=101')).status, 400);

  const rename = (at: string, which: string, sent: JsonObject, headers = owner.headers) =>
    atHost(gatewarden.origin, at, `/api/v1/environments/${which}`, {
      method: 'PATCH',
      json: sent,
      headers: asOperator(headers, at),
    });
  const renamed = await rename(first(), own, { display_name: 'Home' });
  assert.equal(member(renamed.body, 'environment')['display_name'], 'Home', renamed.text);
  assert.notEqual(
    member(renamed.body, 'environment')['update_time'],
    member(renamed.body, 'environment')['create_time'],
  );
  assert.equal((await rename(first(), id, { display_name: 'X' })).status, 404);
  assert.equal((await rename(first(), own, { display_name: 'X' }, viewer.headers)).status, 403);
  for (const display_name of [' ', 'x'.repeat(201)])
    assert.equal((await rename(first(), own, { display_name })).status, 400);
  // The cookie of one host is nobody's at the other.
  const there = new URL(outcome.environment.url).host;
  assert.equal((await rename(there, id, { display_name: 'X' })).status, 401);
  const owners = await gatewarden.database.rows<{ email: string; role: string }>(
    sql`select email, role from operators where environment_id = ${id}`,
  );
  assert.deepEqual(owners, [{ email: 'owner@example.com', role: 'owner' }]);
});

test('people sign in at another environment as at the first one, and are nobody at the other (tenant confusion, AS-130)', async (t) => {
  // Browsers find every name below localhost on this machine; here it takes a lookup of our own.
  const usual = getGlobalDispatcher();
  const here127 = new Agent({
    connect: {
      lookup: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
    },
  });
  setGlobalDispatcher(here127);
  t.after(async () => {
    setGlobalDispatcher(usual);
    await here127.close();
  });
  const its = await itsClient();
  const minted = await tokenAt(host, its);
  const authorization = `Bearer ${String(minted.body['access_token'])}`;
  const callback = 'https://app.example.com/cb';
  const answer = await here('/api/v1/clients', {
    headers: { authorization },
    json: { name: 'Shop', client_type: 'WEB_APP', post_login_uris: [callback] },
  });
  const client = member(answer.body, 'client');
  const secret = String(members(client, 'secrets')[0]?.['plain_secret']);
  const { verifier, challenge } = pkce();
  const asked = {
    client_id: String(client['id']),
    redirect_uri: callback,
    code_challenge: challenge,
    scope: 'openid',
  };
  const browser = cookieBrowser(`http://${host}`);
  const url = authorizeUrl(`http://${host}`, asked);
  const landing = await authorizeWith(browser, url, 'visitor+sktest@example.com');
  assert.equal(landing.params.get('iss'), `http://${host}`);
  const grant = {
    grant_type: 'authorization_code',
    client_id: asked.client_id,
    client_secret: secret,
    redirect_uri: callback,
    code: landing.params.get('code') ?? '',
    code_verifier: verifier,
  };
  const elsewhere = await token(gatewarden.url, grant);
  assert.deepEqual([elsewhere.status, elsewhere.body['error']], [401, 'invalid_client']);
  const redeemed = await token(`http://${host}`, grant);
  assert.equal(redeemed.status, 200, JSON.stringify(redeemed.body));
  const bearer = { authorization: `Bearer ${String(redeemed.body['access_token'])}` };
  assert.equal((await here('/userinfo', { headers: bearer })).status, 200);
  const foreign = await atHost(gatewarden.origin, first(), '/userinfo', { headers: bearer });
  assert.equal(foreign.status, 401);
  const users = await gatewarden.database.rows<{ environment_id: string }>(
    sql`select environment_id from users where email_key = 'visitor+sktest@example.com'`,
  );
  assert.deepEqual(users, [{ environment_id: made['id'] }]);
});

test('the mailbox of development is that of the environment, and no page of another one reads it', async () => {
  assert.equal((await here('/dev/mailbox.json')).status, 200);
  const strange = await here('/dev/mailbox.json', { headers: { origin: gatewarden.url } });
  assert.equal(strange.status, 403);
});

test('what no environment can be given is refused, and nothing is made', async () => {
  const count = async () => (await allEnvironments(gatewarden.app)).length;
  const before = await count();
  for (const [sent, field] of [
    [{ display_name: ' ' }, 'display_name'],
    [{ display_name: 'x'.repeat(201) }, 'display_name'],
    [{ display_name: 'X', region_code: 'EU' }, 'region_code'],
    [{ display_name: 'X', authentication_mode: 'MODULAR_AUTH' }, 'authentication_mode'],
  ] as const) {
    const { code, fields } = await api(steps.create(sent));
    assert.deepEqual([code, fields], [3, [`environment.${field}`]], JSON.stringify(sent));
  }
  const ctx = gatewarden.context();
  const production = { ...ctx, config: { ...ctx.config, mode: 'serve' } } as const;
  const wanted = create(CreateEnvironmentRequestSchema, {
    environment: { displayName: 'X', type: EnvironmentType.DEV },
  });
  const call = { caller: { kind: 'anonymous' }, header: new Headers() } as const;
  await assert.rejects(
    async () => await createEnvironmentRpc.createEnvironment?.(production, wanted, call),
    /environment\.type: this server is for production/,
  );
  assert.equal(await count(), before);
});

test('a race: environments are made one at a time, and never more than twenty (exhaustion)', async () => {
  const parallel = await Promise.all(
    ['A', 'B', 'C'].map(async (displayName) => {
      const outcome = await createEnvironment(gatewarden.context(), {
        displayName,
        kind: 'DEVELOPMENT',
      });
      return outcome.kind;
    }),
  );
  assert.deepEqual(parallel, ['created', 'busy', 'busy']);
  const { rows } = gatewarden.database;
  const full = sql`
    insert into environments (id, url, display_name, kind, created_at)
    select 'env_' || (100000000000000000 + n), 'https://full' || n || '.example', 'Full', 'DEVELOPMENT', now()
      from generate_series(1, 20 - (select count(*)::int from environments)) n`;
  await rows(full);
  assert.equal((await allEnvironments(gatewarden.app)).length, 20);
  const refused = await api(steps.create({ display_name: 'X' }));
  assert.deepEqual([refused.code, refused.errorCode], [9, 'TOO_MANY_ENVIRONMENTS']);
});
