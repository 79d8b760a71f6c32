import assert from 'node:assert/strict';
import { siblingId } from '@gatewarden/resource-server/testing/fake-issuer';
import {
  type Answer,
  challengeOf,
  hostilePaths,
  toolCall,
} from '@gatewarden/resource-server/testing/guarded-server';
import { type Row, row } from './rows.ts';
import type { Target } from './target.ts';
import { tokensThatAreNone } from './token-kinds.ts';

const metadataUrl = 'http://localhost:3333/.well-known/oauth-protected-resource/mcp';
const call = toolCall('list_todos', { text: 'x' });
const siblingUrl = 'http://localhost:3333/notes';
const headers: [string, string][] = [['Accept', 'application/json, text/event-stream']];

/** The whole header, because a framework that adds to it would be noticed by clients and by nothing else. */
function challenged(answer: Answer, status: number, header: string): void {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers['www-authenticate'], header);
}

async function statuses(
  target: Target,
  tokens: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, token] of Object.entries(tokens)) {
    const answer = await target.send({ token, body: call });
    found[name] = `${answer.status} ${challengeOf(answer)['error'] ?? ''}`;
    assert.ok(!JSON.stringify(answer.headers).includes(token), `${name} is echoed`);
    assert.ok(!answer.text.includes(token), `${name} is echoed`);
  }
  return found;
}

/** Rows about taking and validating tokens. They need a server and a token, nothing of its body. */
export const tokenRows: readonly Row[] = [
  row(
    'no spelling of a public path reaches a tool without a token (RS-7, RS-51)',
    'paths',
    async (target) => {
      for (const path of hostilePaths) {
        for (const method of ['GET', 'POST', 'DELETE', 'PUT']) {
          const body = method === 'GET' || method === 'DELETE' ? {} : { body: call };
          await target.send({ method, path, ...body });
        }
      }
      for (const path of hostilePaths)
        await target.raw(
          `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${call.length}\r\nConnection: close\r\n\r\n${call}`,
        );
    },
  ),
  row('exactly a declared public path needs no token (RS-7)', 'publicPath', async (target) => {
    assert.equal((await target.send({ path: '/health' })).status, 200);
    assert.equal((await target.send({ path: '/health', body: call })).status, 401);
  }),
  row(
    'no other kind of JWT, and no forged one, is an access token (AS-145, RS-12, RS-21, RS-51)',
    'kinds',
    async (target) => {
      const tokens = await tokensThatAreNone(target.issuer);
      const refused = Object.keys(tokens).map((name) => [name, '401 invalid_token']);
      assert.deepEqual(await statuses(target, tokens), Object.fromEntries(refused));
    },
  ),
  row(
    'without a token every method is 401 with our challenge and nothing else in it (RS-11, RS-14, RS-47, RS-52)',
    'noToken',
    async (target) => {
      const header = `Bearer resource_metadata="${metadataUrl}"`;
      for (const method of ['POST', 'GET', 'DELETE', 'HEAD']) {
        const body = method === 'POST' ? { body: call } : {};
        challenged(await target.send({ method, ...body }), 401, header);
      }
      const session: [string, string][] = [['Mcp-Session-Id', 'known']];
      challenged(await target.send({ method: 'GET', headers: session }), 401, header);
    },
  ),
  row(
    'a token that expired is 401 on streams and session ends too, with our challenge alone (RS-12, RS-13, RS-47, RS-52)',
    'expired',
    async (target) => {
      const token = await target.issuer.token({ exp: 1_700_000_000 });
      const header = `Bearer error="invalid_token", error_description="The access token has expired", resource_metadata="${metadataUrl}"`;
      for (const method of ['POST', 'GET', 'DELETE']) {
        const body = method === 'POST' ? { body: call } : {};
        challenged(await target.send({ method, token, ...body }), 401, header);
      }
    },
  ),
  row(
    'a refused token is 401 on streams and session ends too (RS-12, RS-47)',
    'refusedMethods',
    async (target) => {
      const token = await target.issuer.token({ exp: 1_700_000_000 });
      for (const method of ['POST', 'GET', 'DELETE']) {
        const body = method === 'POST' ? { body: call } : {};
        assert.equal((await target.send({ method, token, ...body })).status, 401);
        assert.equal((await target.send({ method, ...body })).status, 401);
      }
    },
  ),
  row(
    'two Authorization headers, or a malformed one, are 400 (RS-10)',
    'twoHeaders',
    async (target) => {
      const token = await target.issuer.token();
      const headers: Record<string, [string, string][]> = {
        two: [
          ['Authorization', `Bearer ${token}`],
          ['authorization', 'Bearer other'],
        ],
        'two equal': [
          ['Authorization', `Bearer ${token}`],
          ['Authorization', `Bearer ${token}`],
        ],
        malformed: [['Authorization', `Bearer ${token} more`]],
        list: [['Authorization', `Bearer ${token}, Bearer ${token}`]],
      };
      for (const [name, list] of Object.entries(headers)) {
        const answer = await target.send({ body: call, headers: list });
        assert.deepEqual(
          [answer.status, challengeOf(answer)['error']],
          [400, 'invalid_request'],
          name,
        );
      }
    },
  ),
  row(
    'no second, malformed or foreign Authorization header reaches a tool (RS-10)',
    'oddHeaders',
    async (target) => {
      const token = await target.issuer.token();
      for (const value of [
        `Basic ${token}`,
        token,
        `Bearer${token}`,
        'Bearer',
        `Bearer ${token}x`,
      ]) {
        const answer = await target.send({ body: call, headers: [['Authorization', value]] });
        assert.ok(answer.status === 400 || answer.status === 401, `${answer.status}`);
      }
    },
  ),
  row(
    'a token in the address or in a form body counts for nothing, and is refused beside a header (RS-9)',
    'queryToken',
    async (target) => {
      const token = await target.issuer.token();
      const path = `/mcp?access_token=${token}`;
      const query = await target.send({ path, body: call });
      assert.deepEqual([query.status, challengeOf(query)['error']], [401, undefined]);
      const both = await target.send({ path, token, body: call });
      assert.deepEqual([both.status, challengeOf(both)['error']], [400, 'invalid_request']);
      const headers: [string, string][] = [['Content-Type', 'application/x-www-form-urlencoded']];
      const form = await target.send({ body: `access_token=${token}`, headers });
      assert.equal(form.status, 401);
      const formToo = await target.send({ token, body: `access_token=${token}`, headers });
      assert.deepEqual([formToo.status, challengeOf(formToo)['error']], [400, 'invalid_request']);
    },
  ),
  row(
    'a token in the address or in a form body never reaches a tool (RS-9)',
    'queryTokenIgnored',
    async (target) => {
      const token = await target.issuer.token();
      const query = await target.send({ path: `/mcp?access_token=${token}`, body: call });
      const headers: [string, string][] = [['Content-Type', 'application/x-www-form-urlencoded']];
      const form = await target.send({ body: `access_token=${token}`, headers });
      assert.deepEqual([query.status, form.status], [401, 401]);
    },
  ),
  row(
    'while keys cannot be fetched a token is no reason for 401, so that clients keep it (RS-31)',
    'keysDown',
    async (target) => {
      const fresh = await target.another();
      fresh.issuer.answer = (response) => response.writeHead(500).end();
      const answer = await fresh.send({ token: await fresh.issuer.token(), body: call });
      assert.ok(answer.status >= 500, `${answer.status}`);
      assert.equal(answer.headers['www-authenticate'], undefined);
      assert.deepEqual(fresh.calls, []);
    },
  ),
  row(
    'of two servers in one process each takes its own tokens only, at its own path (RS-55)',
    'twoServers',
    async (target) => {
      const two = await target.another({ resourceId: siblingId, serverUrl: siblingUrl });
      const token = await two.issuer.token();
      const sibling = await two.issuer.token({ aud: siblingId });
      const status = async (path: string, by: string): Promise<number> =>
        (await two.send({ path, token: by, body: call, headers })).status;
      assert.deepEqual([await status('/mcp', token), await status('/notes', sibling)], [200, 200]);
      assert.deepEqual([await status('/mcp', sibling), await status('/notes', token)], [401, 401]);
      for (const path of ['/MCP', '/notes/../mcp', '/notes%2f', '/other'])
        assert.ok((await status(path, sibling)) >= 400, path);
      assert.equal(two.calls.length, 2);
      const document = await two.send({ path: '/.well-known/oauth-protected-resource/notes' });
      assert.equal(JSON.parse(document.text).resource, siblingUrl);
    },
  ),
];
