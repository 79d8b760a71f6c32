import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { endOperatorSession } from '../src/operators/operator-sessions.ts';
import { changeOperator, deleteOperator } from '../src/operators/operators.ts';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import {
  everyCaller,
  type Headers,
  join,
  operator,
  organization,
  person,
  portal,
} from './every-caller.ts';

let gatewarden: TestGatewarden;
let all: Awaited<ReturnType<typeof everyCaller>>;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  all = await everyCaller(gatewarden);
});

type Answer = {
  status: number;
  body: { code?: number; message?: string; [name: string]: unknown };
};

async function call(
  verb: string,
  path: string,
  headers: Readonly<Record<string, string | undefined>>,
  body?: unknown,
): Promise<Answer> {
  const given = Object.entries(headers).filter(([, value]) => value !== undefined);
  const sent = new Headers(given as [string, string][]); // those without a value are left out
  if (body !== undefined) sent.set('content-type', 'application/json');
  const response = await fetch(`${gatewarden.origin}/api/v1${path}`, {
    method: verb,
    headers: sent,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

test('a page of another origin, a form and a link get nothing with the cookies of an operator, a person or a portal (SSO-53)', async () => {
  const own = `/organizations/${all.own.organization}`;
  for (const kind of ['owner', 'member', 'portal'] as const) {
    const good = all.kinds[kind] as Headers;
    assert.equal((await call('GET', own, good)).status, 200, kind);
    const { origin: _origin, ...withoutOrigin } = good as Record<string, string>;
    assert.equal((await call('GET', own, withoutOrigin)).status, 200, `${kind}, as browsers fetch`);
    const bad: Readonly<Record<string, string | undefined>>[] = [
      { 'gatewarden-caller': undefined },
      { 'gatewarden-caller': '' },
      { 'gatewarden-caller': 'environment-client' },
      { 'gatewarden-caller': 'constructor' },
      { 'gatewarden-caller': 'operator, session' },
      { 'gatewarden-caller': kind === 'owner' ? 'session' : 'operator' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `${gatewarden.url}.evil.example` },
      { origin: undefined, 'sec-fetch-site': undefined },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-site': 'none', origin: undefined },
      { cookie: undefined },
      { cookie: `${good['cookie']}x` },
      { cookie: String(good['cookie']).replace(/=[^;]*/g, `=${'A'.repeat(43)}`) },
      { authorization: 'Bearer garbage' },
      { authorization: '' },
    ];
    for (const change of bad) {
      const { status, body } = await call('GET', own, { ...good, ...change });
      assert.deepEqual([status, body.code], [401, 16], `${kind} ${JSON.stringify(change)}`);
    }
  }
});

test('a cookie says nothing where the page names another kind: a portal beside an operator has no more rights than a portal', async () => {
  const owner = all.kinds.owner as Record<string, string>;
  const beside = all.kinds.portal as Record<string, string>;
  const cookie = `${owner['cookie']}; ${beside['cookie']}`;
  const as = (kind: string) => ({ ...owner, cookie, 'gatewarden-caller': kind });
  assert.equal((await call('GET', '/organizations', as('operator'))).status, 200);
  assert.equal((await call('GET', '/organizations', as('portal'))).status, 403);
  const other = `/organizations/${all.other.organization}`;
  assert.equal((await call('GET', other, as('operator'))).status, 200);
  assert.equal((await call('GET', other, as('portal'))).status, 404);
});

test('an operator’s role and session count as they are now: demoted, signed out, removed, idle and too old', async () => {
  const ctx = gatewarden.context();
  const { id, headers } = await operator(gatewarden, 'admin', 'changing@example.com');
  const create = async () =>
    (
      await call('POST', '/permissions', headers, {
        name: `p_${gatewarden.clock.now().getTime()}`,
        description: 'x',
      })
    ).status;
  assert.equal(await create(), 201);
  await changeOperator(ctx, id, () => ({ role: 'viewer' }));
  assert.equal(await create(), 403, 'a viewer changes nothing');
  assert.equal((await call('GET', '/permissions', headers)).status, 200);
  const token = String(headers['cookie']).split('=')[1] ?? '';
  assert.equal(await endOperatorSession(ctx, token), true);
  assert.equal(await endOperatorSession(ctx, token), false, 'once');
  assert.equal((await call('GET', '/permissions', headers)).status, 401, 'signed out');

  const removed = await operator(gatewarden, 'admin', 'removed@example.com');
  assert.equal((await deleteOperator(ctx, removed.id)).kind, 'written');
  assert.equal((await call('GET', '/permissions', removed.headers)).status, 401, 'removed');

  const { headers: used } = await operator(gatewarden, 'viewer', 'used@example.com');
  const { headers: idle } = await operator(gatewarden, 'viewer', 'idle@example.com');
  const { headers: opened } = await portal(gatewarden, all.own.organization);
  for (let minutes = 0; minutes < 720; minutes += 45) {
    assert.equal((await call('GET', '/permissions', used)).status, 200, `after ${minutes} minutes`);
    const open = await call('GET', `/organizations/${all.own.organization}`, opened);
    assert.equal(open.status, minutes < 360 ? 200 : 401, `a portal after ${minutes} minutes`);
    gatewarden.clock.advance({ minutes: 45 });
  }
  assert.equal((await call('GET', '/permissions', idle)).status, 401, 'nobody used it for an hour');
  assert.equal((await call('GET', '/permissions', used)).status, 401, 'twelve hours are the end');
});

test('a session cookie in another browser is nobody, and a membership that ends takes its permissions at once', async () => {
  const { id } = await gatewarden.mcpServer({ serverUrl: 'https://other.example.com/mcp' });
  const ana = await person(gatewarden, id, 'ana+sktest@example.com');
  const ben = await person(gatewarden, id, 'ben+sktest@example.com');
  const org = await organization(gatewarden, 'Ended');
  await join(gatewarden, { userId: ana.userId, organizationId: org, roles: ['admin'] });
  const get = async (headers: Headers) =>
    (await call('GET', `/organizations/${org}`, headers)).status;
  assert.equal(await get(ana.headers), 200);
  const cookies = (headers: Headers) => String(headers['cookie']).split('; ');
  const browserOfBen = cookies(ben.headers).filter((pair) => pair.includes('browser='));
  const sessionOfAna = cookies(ana.headers).filter((pair) => pair.includes('session='));
  const mixed = [...browserOfBen, ...sessionOfAna].join('; ');
  assert.equal(await get({ ...ana.headers, cookie: mixed }), 401, 'stolen');
  await gatewarden.database.rows(sql`
    update memberships set status = 'INACTIVE' where user_id = ${ana.userId}`);
  assert.equal(await get(ana.headers), 403, 'not a member any more');
});

test('people set only what is theirs: names and logo of the organization, never what belongs to the application', async () => {
  const member = all.kinds.member as Headers;
  const path = `/organizations/${all.own.organization}`;
  assert.equal((await call('PATCH', path, member, { display_name: 'Mine' })).status, 200);
  for (const body of [
    { external_id: 'crm-1' },
    { slug: 'mine' },
    { metadata: { plan: 'enterprise' } },
    { display_name: 'Mine', external_id: 'crm-1' },
  ]) {
    const refused = await call('PATCH', path, member, body);
    assert.deepEqual([refused.status, refused.body.code], [403, 7], JSON.stringify(body));
  }
  const masked = await fetch(
    `${gatewarden.origin}/scalekit.v1.organizations.OrganizationService/UpdateOrganization`,
    {
      method: 'POST',
      headers: { ...member, 'content-type': 'application/json' },
      body: JSON.stringify({
        id: all.own.organization,
        organization: { displayName: 'x' },
        updateMask: 'externalId',
      }),
    },
  );
  assert.equal(masked.status, 403, 'a mask clears what it names');
  const users = `${path}/users`;
  const invited = { email: 'new@example.com' };
  for (const [query, body] of [
    ['?send_invitation_email=false', invited],
    ['', { ...invited, external_id: 'crm-2' }],
    ['', { ...invited, metadata: { plan: 'x' } }],
    ['', { ...invited, membership: { metadata: { plan: 'x' } } }],
    ['', { ...invited, membership: { roles: [{ name: 'admin' }] } }],
  ] as const)
    assert.equal(
      (await call('POST', `${users}${query}`, member, body)).status,
      403,
      JSON.stringify(body),
    );
  assert.equal((await call('POST', users, member, invited)).status, 201);
  const membership = `/memberships${path}/users/${all.own.colleague}`;
  assert.equal((await call('DELETE', `${membership}?cascade=true`, member)).status, 403);
  assert.equal((await call('PATCH', membership, member, { metadata: { a_key: 'b' } })).status, 403);
});

test('a request that names nothing of the caller’s own is malformed, and an external id is no way around', async () => {
  const member = all.kinds.member as Headers;
  const list = await call('GET', '/connections', member);
  assert.deepEqual([list.status, list.body.code], [400, 3]);
  await gatewarden.database.rows(
    sql`update organizations set external_id = 'crm-9' where id = ${all.other.organization}`,
  );
  const url = `${gatewarden.origin}/scalekit.v1.organizations.OrganizationService/GetOrganization`;
  for (const externalId of ['crm-9', 'no-such']) {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { ...member, 'content-type': 'application/json' },
      body: JSON.stringify({ externalId }),
    });
    assert.equal(answer.status, 400, externalId);
  }
});

test('a portal reaches what its link is for and the organization has, at this moment (SSO-53)', async () => {
  const org = await organization(gatewarden, 'Features');
  const { headers: sso } = await portal(gatewarden, org, ['sso']);
  const { headers: directory } = await portal(gatewarden, org, ['dir_sync']);
  const status = async (headers: Headers, path: string) =>
    (await call('GET', `/organizations/${org}${path}`, headers)).status;
  const refused = async (headers: Headers, path: string) => (await status(headers, path)) === 403;
  assert.equal(await refused(sso, '/domains'), false);
  assert.equal(await refused(sso, '/directories'), true);
  assert.equal(await refused(directory, '/directories'), false);
  assert.equal(await refused(directory, '/domains'), true);
  assert.equal(await refused(sso, '/roles'), false);
  assert.equal(await status(sso, '/users'), 403, 'people are not of the portal');
  await gatewarden.database.rows(
    sql`update organizations set settings = '{"features": {"sso": false}}' where id = ${org}`,
  );
  assert.equal(await refused(sso, '/domains'), true, 'switched off');
  assert.equal(await status(sso, ''), 200, 'its own name it always sees');
});
