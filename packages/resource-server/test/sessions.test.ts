import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { McpServerOptions } from '../src/index.ts';
import { sessionBindings } from '../src/sessions.ts';
import { type EntryPoint, startEntryPoints } from '../src/testing/entry-points.ts';
import { type FakeIssuer, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { type Answer, declaration, toolCall } from '../src/testing/guarded-server.ts';

const initialize = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: {} });

/** A transport with sessions `s1`, `s2`, …, as the official ones behave; `reached` counts what came to it. */
async function startSessions(
  t: TestContext,
  issuer: FakeIssuer,
  more: Partial<McpServerOptions> = {},
  newId = (count: number): string => `s${count}`,
): Promise<{ entries: readonly EntryPoint[]; reached: () => number; known: Set<string> }> {
  const known = new Set<string>();
  let created = 0;
  let reached = 0;
  const entries = await startEntryPoints(
    t,
    declaration(issuer, more),
    ({ method, header }, { body }) => {
      reached += 1;
      if (JSON.stringify(body)?.includes('"initialize"')) {
        created += 1;
        known.add(newId(created));
        return Response.json({ created }, { headers: { 'Mcp-Session-Id': newId(created) } });
      }
      const session = header('mcp-session-id') ?? '';
      if (!known.has(session)) return Response.json({ unknown: true }, { status: 404 });
      if (method === 'DELETE') known.delete(session);
      return Response.json({ handled: true }, { headers: { 'Mcp-Session-Id': session } });
    },
  );
  return { entries, reached: () => reached, known };
}

function use(entry: EntryPoint, token: string, session: string, method = 'POST'): Promise<Answer> {
  return entry.send({
    token,
    method,
    headers: [['Mcp-Session-Id', session]],
    ...(method === 'POST' ? { body: toolCall('list_todos') } : {}),
  });
}

async function create(entry: EntryPoint, token: string): Promise<string> {
  const answer = await entry.send({ token, body: initialize });
  return String(answer.headers['mcp-session-id']);
}

test('a stolen session id answers 404 to anybody else: person, client, organization or issuer (RS-48)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const other = await startFakeIssuer(t);
  const { entries, reached } = await startSessions(t, issuer, {
    issuers: [{ issuer: other.url, jwksUri: `${other.url}/keys` }],
  });
  const owner = { sub: 'usr_1', client_id: 'skc_1', org_id: 'org_1' };
  const token = await issuer.token(owner);
  const thieves = {
    person: await issuer.token({ ...owner, sub: 'usr_2' }),
    client: await issuer.token({ ...owner, client_id: 'skc_2' }),
    organization: await issuer.token({ ...owner, org_id: 'org_2' }),
    none: await issuer.token({ ...owner, org_id: undefined }),
    issuer: await other.token(owner),
  };
  for (const entry of entries) {
    const session = await create(entry, token);
    assert.equal((await use(entry, token, session)).status, 200, entry.name);
    const before = reached();
    for (const [what, stolen] of Object.entries(thieves)) {
      for (const method of ['POST', 'GET', 'DELETE']) {
        const answer = await use(entry, stolen, session, method);
        assert.equal(answer.status, 404, `${entry.name} ${what} ${method}`);
        assert.equal(answer.headers['www-authenticate'], undefined);
        assert.equal(JSON.parse(answer.text).error.code, -32001);
      }
    }
    assert.equal(reached(), before, 'the transport saw none of it');
    const renewed = await issuer.token({ ...owner, jti: 'tkn_2' });
    assert.equal((await use(entry, renewed, session)).status, 200, 'a new token, the same caller');
  }
});

test('organizations that are no texts, as other issuers number them, share no session either (RS-48)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const other = await startFakeIssuer(t);
  const { entries } = await startSessions(t, issuer, {
    issuers: [{ issuer: other.url, jwksUri: `${other.url}/keys` }],
  });
  const organizations = [1, 2, '1', { id: 1 }, 'o'.repeat(2_000), `${'o'.repeat(1_999)}x`, ''];
  const tokens = await Promise.all(organizations.map((org_id) => other.token({ org_id })));
  for (const entry of entries) {
    for (const owner of tokens) {
      const session = await create(entry, owner);
      for (const token of tokens)
        assert.equal((await use(entry, token, session)).status, token === owner ? 200 : 404);
    }
  }
});

test('the refusal of a stolen session does not read the body and names no scope (RS-48)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { entries } = await startSessions(t, issuer);
  const thief = await issuer.token({ sub: 'usr_2' });
  for (const entry of entries) {
    const session = await create(entry, await issuer.token());
    const answer = await entry.send({
      token: thief,
      headers: [['Mcp-Session-Id', session]],
      body: toolCall('add_todo'),
    });
    assert.equal(answer.status, 404, entry.name);
  }
});

test('DELETE by its owner ends a binding, a refused DELETE does not (RS-48)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { entries, known } = await startSessions(t, issuer);
  const token = await issuer.token();
  const thief = await issuer.token({ sub: 'usr_2' });
  for (const entry of entries) {
    const session = await create(entry, token);
    assert.equal((await use(entry, thief, session, 'DELETE')).status, 404);
    assert.equal((await use(entry, token, session)).status, 200, entry.name);
    assert.equal((await use(entry, token, session, 'DELETE')).status, 200);
    known.add(session); // somebody else is given the same id later
    assert.equal((await use(entry, thief, session)).status, 200);
    assert.equal((await use(entry, token, session)).status, 404);
  }
});

test('an id given out twice stays with the first caller (RS-48)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { entries } = await startSessions(t, issuer, {}, () => 'constant');
  const first = await issuer.token();
  const second = await issuer.token({ sub: 'usr_2' });
  for (const entry of entries) {
    await create(entry, first);
    await create(entry, second);
    assert.equal((await use(entry, second, 'constant')).status, 404, entry.name);
    assert.equal((await use(entry, first, 'constant')).status, 200);
  }
});

test('a session of another process belongs to the first caller whom the transport accepts with it (RS-48)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { entries, known, reached } = await startSessions(t, issuer);
  const token = await issuer.token();
  const thief = await issuer.token({ sub: 'usr_2' });
  for (const entry of entries) {
    const before = reached();
    assert.equal((await use(entry, thief, 'elsewhere')).status, 404, 'the transport says so');
    assert.equal(reached(), before + 1);
    known.add('elsewhere');
    assert.equal((await use(entry, token, 'elsewhere')).status, 200);
    assert.equal((await use(entry, thief, 'elsewhere')).status, 404, entry.name);
    known.delete('elsewhere');
  }
});

test('sessions can be left unbound, and two ids in one request are refused (RS-48)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const thief = await issuer.token({ sub: 'usr_2' });
  const open = await startSessions(t, issuer, { bindSessions: false });
  const bound = await startSessions(t, issuer);
  for (const entry of open.entries) {
    const session = await create(entry, await issuer.token());
    assert.equal((await use(entry, thief, session)).status, 200, entry.name);
  }
  const [node] = bound.entries;
  const session = node && (await create(node, thief));
  const twice = await node?.send({
    token: thief,
    headers: [
      ['Mcp-Session-Id', String(session)],
      ['Mcp-Session-Id', 's99'],
    ],
    body: toolCall('list_todos'),
  });
  assert.equal(twice?.status, 400);
});

test('one caller with very many sessions pushes out its own, not those of others (RS-48)', () => {
  const bindings = sessionBindings({ all: 100, perSubject: 10 });
  const caller = (subject: string): Parameters<typeof bindings.bind>[1] => ({
    token: '',
    clientId: 'skc_1',
    scopes: [],
    expiresAt: 0,
    resource: new URL('https://mcp.example.com'),
    extra: {
      issuer: 'https://auth.example.com',
      subject,
      organizationId: undefined,
      tokenId: undefined,
      machine: false,
      claims: {},
    },
  });
  const [victim, hostile] = [caller('usr_1'), caller('usr_2')];
  bindings.bind('victim', victim);
  for (let n = 0; n < 1_000; n += 1) bindings.bind(`x${n}`, hostile);
  assert.equal(bindings.allows('victim', hostile), false);
  assert.equal(bindings.allows('x999', victim), false);
  assert.equal(bindings.allows('x989', victim), true, 'forgotten');
  for (let n = 0; n < 200; n += 1) {
    bindings.bind(`y${n}`, caller(`usr_y${n}`));
    assert.equal(bindings.allows('victim', victim), true); // in use, so never the oldest
  }
  assert.equal(bindings.allows('y0', hostile), true, 'forgotten');
  assert.equal(bindings.allows('victim', hostile), false);
});
