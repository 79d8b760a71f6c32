import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { decodeJwt } from 'jose';
import { sql, startTestGatewarden, type TestGatewarden, token } from '../src/testing.ts';
import {
  endpoint,
  type Got,
  json,
  type Reply,
  interceptorSteps as steps,
} from './interceptor-steps.ts';
import { type Answer, type Api, managementApi, member, ok } from './management-api.ts';

let gatewarden: TestGatewarden;
let api: Api;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  api = await managementApi(t as never, gatewarden);
});

const fields = (url: string, more: JsonObject = {}): JsonObject => ({
  display_name: 'Gate',
  trigger_point: 'PRE_M2M_TOKEN_CREATION',
  api_url: url,
  failure_policy: 'FAIL_CLOSED',
  ...more,
});

async function made(url: string, more: JsonObject = {}): Promise<string> {
  const answer = ok(await api(steps.create(fields(url, more))));
  return String(member(answer, 'interceptor')['id']);
}

const events = async (type: string) =>
  await gatewarden.database.rows<{
    data: Record<string, unknown>;
    outcome: string;
    reason: string | null;
  }>(sql`select data, outcome, reason from events where type = ${type} order by id`);

test('an interceptor is made, read, changed, listed, switched and deleted; secrets never come back (FSA-86)', async () => {
  const auth = {
    auth_config_type: 'API_KEY',
    api_key: { api_key: 'very-secret-key', header_name: 'X-Key' },
  };
  const id = await made('https://app.example/hook', {
    description: 'first',
    timeout_ms: '500',
    config: { auth_config: auth },
  });
  assert.match(id, /^icp_[0-9]{15,19}$/);
  const shown = member(ok(await api(steps.get(id))), 'interceptor');
  assert.deepEqual(
    [shown['enabled'], shown['timeout_ms'], shown['failure_policy'], shown['trigger_point']],
    [undefined, '500', 'FAIL_CLOSED', 'PRE_M2M_TOKEN_CREATION'],
  );
  assert.match(String(shown['secret_id']), /^sec_/);
  assert.equal(String(shown['secret_suffix']).length, 4);
  assert.ok(!JSON.stringify(shown).includes('very-secret'), JSON.stringify(shown));
  const changed = ok(
    await api(
      steps.update(id, {
        display_name: 'Other',
        config: {
          auth_config: { ...auth, api_key: { api_key: '********', header_name: 'X-Other' } },
        },
      }),
    ),
  );
  assert.equal(member(changed, 'interceptor')['display_name'], 'Other');
  ok(await api(steps.turn(id, true)));
  ok(await api(steps.turn(id, true)));
  const list = ok(await api(steps.list({ enabled: 'true' })));
  assert.deepEqual([list['total_size'], (list['interceptors'] as unknown[]).length], [1, 1]);
  ok(await api(steps.turn(id, false)));
  ok(await api(steps.remove(id)));
  for (const step of [
    steps.get(id),
    steps.remove(id),
    steps.turn(id, true),
    steps.update(id, {}),
    steps.attempt(id, {}),
  ])
    assert.equal((await api(step)).code, 5);
  const names = (
    await gatewarden.database.rows<{ type: string; data: unknown }>(
      sql`select type, data from events where type like 'interceptor.%' order by id`,
    )
  ).map(({ type, data }) => {
    assert.ok(!JSON.stringify(data).includes('very-secret'));
    return type.slice('interceptor.'.length);
  });
  assert.deepEqual(names, ['created', 'updated', 'enabled', 'disabled', 'deleted']);
});

test('what cannot be an interceptor is refused with the field that is wrong (FSA-86)', async () => {
  const bad: [JsonObject, string][] = [
    [{ api_url: 'http://app.example/hook' }, 'interceptor.api_url'],
    [{ api_url: 'https://10.0.0.1/hook' }, 'interceptor.api_url'],
    [{ api_url: `${gatewarden.url}/hook` }, 'interceptor.api_url'],
    [{ api_url: 'not a url' }, 'interceptor.api_url'],
    [{ trigger_point: 'ACCESS_TOKEN_CREATION' }, 'interceptor.trigger_point'],
    [{ timeout_ms: '99' }, 'interceptor.timeout_ms'],
    [{ timeout_ms: '30001' }, 'interceptor.timeout_ms'],
    [{ request_template: '{{x}}' }, 'interceptor.request_template'],
    [
      {
        config: {
          auth_config: {
            auth_config_type: 'API_KEY',
            api_key: { api_key: 'k', header_name: 'Host' },
          },
        },
      },
      'interceptor.config.auth_config.api_key.header_name',
    ],
    [
      {
        config: {
          auth_config: {
            auth_config_type: 'API_KEY',
            api_key: { api_key: 'a\r\nb: c', header_name: 'X-A' },
          },
        },
      },
      'interceptor.config.auth_config.api_key.api_key',
    ],
    [
      {
        config: {
          auth_config: {
            auth_config_type: 'API_KEY',
            api_key: { api_key: '********', header_name: 'X-A' },
          },
        },
      },
      'interceptor.config.auth_config.api_key.api_key',
    ],
  ];
  for (const [more, field] of bad) {
    const answer = await api(steps.create(fields('https://app.example/hook', more)));
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(more));
  }
  for (const missing of ['api_url', 'failure_policy']) {
    const { [missing]: _, ...rest } = fields('https://app.example/hook');
    const answer = await api(steps.create(rest));
    assert.deepEqual([answer.code, answer.fields], [3, [`interceptor.${missing}`]]);
  }
  const id = await made('https://app.example/hook', {
    config: {
      auth_config: {
        auth_config_type: 'OAUTH2',
        oauth2: { token_url: 'https://app.example/token', client_id: 'c', client_secret: 's' },
      },
    },
  });
  const elsewhere = {
    auth_config_type: 'OAUTH2',
    oauth2: { token_url: 'https://evil.example/token', client_id: 'c', client_secret: '********' },
  };
  const moved = await api(steps.update(id, { config: { auth_config: elsewhere } }));
  assert.deepEqual(
    [moved.code, moved.fields],
    [3, ['interceptor.config.auth_config.oauth2.client_secret']],
    'a hidden secret does not follow to another token URL',
  );
  ok(await api(steps.remove(id)));
  assert.equal((await api(steps.get('icp_1'))).code, 3);
  assert.equal((await api(steps.list({ page_token: 'x' }))).code, 3);
});

/** As the vendor's SDK checks it: an independent implementation of the scheme. */
function signed(got: Got | undefined, secret: string): boolean {
  const headers: Got['headers'] = got?.headers ?? {};
  const text = `${headers['interceptor-id']}.${headers['interceptor-timestamp']}.${got?.body}`;
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const expected = `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
  return String(headers['interceptor-signature']).split(' ').includes(expected);
}

async function machine(): Promise<{ id: string; secret: string }> {
  const organization = await fetchApi('POST', '/api/v1/organizations', { display_name: 'Acme' });
  const organizationId = String(member(organization, 'organization')['id']);
  const answer = await fetchApi('POST', `/api/v1/organizations/${organizationId}/clients`, {
    name: 'Robot',
    scopes: ['read', 'write'],
    audience: ['https://api.example'],
    custom_claims: [{ key: 'plan', value: 'free' }],
  });
  return {
    id: String(member(answer, 'client')['client_id']),
    secret: String(answer['plain_secret']),
  };
}

async function fetchApi(verb: string, path: string, body: unknown): Promise<JsonObject> {
  const management = await token(gatewarden.url, {
    grant_type: 'client_credentials',
    client_id: gatewarden.client.id,
    client_secret: gatewarden.client.secret,
  });
  const answer = await fetch(`${gatewarden.url}${path}`, {
    method: verb,
    headers: {
      authorization: `Bearer ${management.body['access_token']}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok(answer.ok, text);
  return JSON.parse(text) as JsonObject; // the test looks at its members
}

const asks = async ({ id, secret }: { id: string; secret: string }, scope?: string) =>
  await token(gatewarden.url, {
    grant_type: 'client_credentials',
    client_id: id,
    client_secret: secret,
    ...(scope === undefined ? {} : { scope }),
  });

test('before a machine gets a token the application is asked, signed; it narrows, adds, and widens nothing (FSA-86, FSA-87, AS-148, AS-151)', async (t) => {
  const robot = await machine();
  const app = await endpoint(
    t,
    json({
      decision: 'ALLOW',
      response: {
        claims: {
          scope: 'read admin',
          aud: ['https://other.example'],
          plan: 'gold',
          tenant: { id: 7 },
          sub: 'somebody-else',
          custom_claims: { extra: 'yes', roles: ['admin'] },
        },
      },
    }),
  );
  const id = await made(app.url);
  assert.equal((await asks(robot)).status, 200);
  assert.equal(app.got.length, 0, 'a disabled one is not asked');
  ok(await api(steps.turn(id, true)));
  const first = String(ok(await api(steps.rotate(id)))['secret']);
  const secret = String(ok(await api(steps.rotate(id)))['secret']);
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  const answer = await asks(robot);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.ok(signed(app.got[0], first), 'the one before signs as well, for a day');
  const claims = decodeJwt(String(answer.body['access_token']));
  assert.deepEqual(
    [claims['scope'], claims.aud, claims.sub, claims['roles']],
    ['read', ['https://other.example'], robot.id, undefined],
  );
  assert.deepEqual(claims['custom_claims'], { plan: 'gold', tenant: { id: 7 }, extra: 'yes' });
  const [call] = app.got;
  assert.ok(signed(call, secret), 'the secret that was handed out signs');
  const sent = JSON.parse(call?.body ?? '{}');
  assert.deepEqual(
    [sent.display_name, sent.trigger_point, sent.interceptor_context.client_id],
    ['Gate', 'PRE_M2M_TOKEN_CREATION', robot.id],
  );
  assert.deepEqual(sent.data.m2m_token_claims.claims.scopes, ['read', 'write']);
  assert.ok(sent.interceptor_context.triggered_at && sent.interceptor_context.ip_address);
  assert.match(String(call?.headers['interceptor-signature']), /^v1,/);
  const [executed] = await events('interceptor.executed');
  assert.deepEqual(
    [executed?.data['interceptor_id'], executed?.data['status'], executed?.data['decision']],
    [id, 'SUCCESS', 'ALLOW'],
  );
  const [ignored] = await events('interceptor.claims_ignored');
  assert.deepEqual(
    [ignored?.reason, ignored?.data['claims']],
    ['interceptor_scope_widening', ['scope', 'sub', 'roles']],
  );

  app.state.reply = json({ decision: 'ALLOW', response: { claims: { aud: [gatewarden.url] } } });
  const reserved = decodeJwt(String((await asks(robot)).body['access_token']));
  assert.deepEqual(reserved.aud, ['https://api.example'], 'our own audience is nobody’s to give');

  app.state.reply = json({ decision: 'DENY', error: { message: 'unpaid' } });
  const refused = await asks(robot);
  assert.deepEqual([refused.status, refused.body['error']], [403, 'access_denied']);
  ok(await api(steps.turn(id, false)));
  assert.equal((await asks(robot)).status, 200, 'switched off at once');
  ok(await api(steps.remove(id)));
});

test('an interceptor that is slow, broken, redirects, answers nonsense or too much fails closed or open, as it is set (FSA-88)', async (t) => {
  const robot = await machine();
  const app = await endpoint(t, json({}));
  const id = await made(app.url, { timeout_ms: '300' });
  ok(await api(steps.turn(id, true)));
  const bad: [string, Reply][] = [
    ['timeout', () => undefined],
    ['bad-status', json({ decision: 'ALLOW' }, 500)],
    ['bad-status', json({ decision: 'ALLOW' }, 201)],
    ['bad-status', (response) => void response.writeHead(302, { location: app.url }).end()],
    ['malformed', json({ decision: 'allow' })],
    ['malformed', json([])],
    ['malformed', json({ decision: 'ALLOW', response: 'x' })],
    [
      'malformed',
      (response) =>
        void response.writeHead(200, { 'content-type': 'application/json' }).end('{"decision":'),
    ],
    [
      'malformed',
      (response) =>
        void response.writeHead(200, { 'content-type': 'text/html' }).end('{"decision":"ALLOW"}'),
    ],
    ['too-large', json({ decision: 'ALLOW', padding: 'x'.repeat(70_000) })],
    ['unreachable', (response) => void response.destroy()],
  ];
  for (const [reason, reply] of bad) {
    app.state.reply = reply;
    assert.equal((await asks(robot)).status, 403, reason);
    const last = (await events('interceptor.executed')).at(-1);
    assert.deepEqual(
      [last?.reason, last?.data['status'], last?.data['decision']],
      [`interceptor-${reason}`, 'FAILED', 'DENY'],
    );
  }
  ok(await api(steps.update(id, { failure_policy: 'FAIL_OPEN' })));
  for (const [reason, reply] of bad.slice(0, 3)) {
    app.state.reply = reply;
    const answer = await asks(robot);
    assert.equal(answer.status, 200, reason);
    const claims = decodeJwt(String(answer.body['access_token']));
    assert.deepEqual(claims['custom_claims'], { plan: 'free' });
  }
  app.state.reply = json({ decision: 'DENY' });
  assert.equal((await asks(robot)).status, 403, 'fail open is not for a refusal');
  ok(await api(steps.remove(id)));
});

test('a try answers what the endpoint said, with its violations, and leaves no trace among real calls (FSA-88)', async (t) => {
  const app = await endpoint(t, json({ decision: 'ALLOW', response: { claims: { a: 1 } } }));
  const id = await made(app.url, {
    config: {
      auth_config: {
        auth_config_type: 'API_KEY',
        api_key: { api_key: 'very-secret-key', header_name: 'X-Key' },
      },
    },
  });
  const before = (await events('interceptor.executed')).length;
  const data = { interceptor_context: { user_email: 'ada@example.com' }, data: { x: 1 } };
  const good = ok(await api(steps.attempt(id, data)));
  assert.deepEqual(good['interceptor_response'], {
    decision: 'ALLOW',
    response: { claims: { a: 1 } },
  });
  assert.equal(app.got[0]?.headers['x-key'], 'very-secret-key');
  assert.equal(
    JSON.parse(app.got[0]?.body ?? '{}').interceptor_context.user_email,
    'ada@example.com',
  );
  app.state.reply = json({ decision: 'maybe' });
  const odd = ok(await api(steps.attempt(id, data)));
  assert.deepEqual(odd['validation_error'], {
    field_violations: [
      { field: 'decision', description: 'must be ALLOW or DENY', constraint: 'enum.defined_only' },
    ],
  });
  app.state.reply = json({}, 503);
  const failed: Answer['body'] = ok(await api(steps.attempt(id, data)));
  assert.equal(member(failed, 'error')['code'], 'BAD_STATUS');
  assert.equal((await events('interceptor.executed')).length, before);
  ok(await api(steps.remove(id)));
});
