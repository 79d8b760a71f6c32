import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trustColour } from '../pages/consent-trust.ts';
import { sql } from '../storage/db.ts';
import type { Client } from './client.ts';
import { resembled } from './look-alike.ts';
import { createClient } from './manage-clients.ts';
import { testClients } from './test-clients.ts';
import { isSameSite, isTrustedRedirect, trustOf } from './trust.ts';

const { ctx, settings } = await testClients();
const made = await createClient(ctx, {
  kind: 'application',
  name: 'Any',
  redirectUris: ['https://app.example/cb'],
});
if (made.kind !== 'created') throw new Error('no client');
const any = made.client;

const dynamic = (name: string): Client => ({
  ...any,
  id: 'm2m_1',
  kind: 'mcp',
  registration: 'dynamic',
  name,
});
const document = (id: string, name: string): Client => ({
  ...any,
  id,
  kind: 'mcp',
  registration: 'metadata-document',
  name,
});
const level = async (client: Client, redirectUri: string): Promise<string> =>
  (await trustOf(ctx, client, redirectUri)).kind;

test('the operator’s own clients are green, with the company’s name (hosted-pages 3.6)', async () => {
  assert.deepEqual(await trustOf(ctx, { ...any, name: 'Claude' }, 'https://app.example/cb'), {
    kind: 'operator',
    company: 'Acme',
  });
  await settings({ operatorName: 'Acme Corporation' });
  assert.deepEqual(await trustOf(ctx, any, 'http://localhost/cb'), {
    kind: 'operator',
    company: 'Acme Corporation',
  });
});

test('green for a document needs a listed host, its path, and a redirect to the same site (hosted-pages 3.6)', async () => {
  const claude = document('https://claude.ai/oauth/mcp-oauth-client-metadata', 'Claude');
  assert.deepEqual(await trustOf(ctx, claude, 'https://claude.ai/api/mcp/auth_callback'), {
    kind: 'known-host',
    host: 'claude.ai',
  });
  assert.equal(await level(claude, 'https://other.example/cb'), 'look-alike');
  assert.equal(
    await level(document('https://claude.ai/oauth/x', 'Helper'), 'https://other.example/cb'),
    'identified-host',
  );
  assert.equal(
    await level(document('https://claude.ai/public/upload.json', 'Helper'), 'https://claude.ai/cb'),
    'identified-host',
  );
  assert.equal(
    await level(document('https://client.example/id', 'Example'), 'https://client.example/cb'),
    'identified-host',
  );
});

test('a document on somebody’s pages host is never green: its site is that one customer’s (hosted-pages 3.6, public suffix list with its private section)', async () => {
  assert.equal(
    await level(
      document('https://someone.github.io/id.json', 'Example'),
      'https://someone.github.io/cb',
    ),
    'identified-host',
  );
  assert.deepEqual(
    [
      isSameSite('a.github.io', 'b.github.io'),
      isSameSite('a.github.io', 'x.a.github.io'),
      isSameSite('a.pages.dev', 'b.pages.dev'),
      isSameSite('app.acme.co.uk', 'www.acme.co.uk'),
      isSameSite('acme.co.uk', 'evil.co.uk'),
      isSameSite('1.2.3.4', '1.2.3.5'),
    ],
    [false, true, false, true, false, false],
  );
});

test('the operator may vouch for hosts (hosted-pages 3.6)', async () => {
  await settings({ trustedRedirectHosts: ['partner.example'] });
  assert.equal(
    await level(document('https://partner.example/id', 'Partner'), 'https://partner.example/cb'),
    'known-host',
  );
  assert.equal(
    await level(
      document('https://evil.partner.example/id', 'Partner'),
      'https://partner.example/cb',
    ),
    'identified-host',
  );
  assert.equal(await level(dynamic('Partner'), 'https://partner.example/cb'), 'self-declared');
});

test('loopback and private schemes are a local app, however it was registered (hosted-pages 3.6)', async () => {
  for (const uri of [
    'http://localhost:1234/cb',
    'http://127.0.0.1/cb',
    'http://[::1]/cb',
    'cursor://anysphere.cursor-mcp/oauth/callback',
    'com.example.app:/cb',
  ]) {
    assert.equal(await level(dynamic('Cursor'), uri), 'local-app', uri);
    assert.equal(
      await level(
        document('https://claude.ai/oauth/claude-code-client-metadata', 'Claude Code'),
        uri,
      ),
      'local-app',
      uri,
    );
  }
  assert.equal(
    await level(document('https://evil.example/id', 'Claude Code'), 'http://localhost/cb'),
    'look-alike',
  );
});

test('registered by itself with an https redirect is self-declared, also under its own famous name (hosted-pages 3.6)', async () => {
  assert.equal(await level(dynamic('Example'), 'https://client.example/cb'), 'self-declared');
  assert.equal(
    await level(dynamic('Claude'), 'https://claude.ai/api/mcp/auth_callback'),
    'self-declared',
  );
  assert.equal(
    await level(dynamic('ChatGPT'), 'https://chatgpt.com/connector/oauth/x'),
    'self-declared',
  );
});

test('a name like a well-known client’s that leads elsewhere is a look-alike, in any script and spelling (hosted-pages 3.6, impersonation)', async () => {
  const names = [
    'Claude',
    'CLAUDE',
    'claude',
    'Claude Code',
    'Claude.ai',
    'ClaudeAI',
    'Claude Connector',
    'My Claude',
    'Сlаudе',
    'Cl\u0430ude',
    'C1aude',
    'CIaude',
    'Ⅽlaude',
    'Ｃｌａｕｄｅ',
    'Clàude',
    'Claud3',
    'Clauude',
    'Cluade',
    'Clade',
    'Claude®',
    'Anthropic',
    'Αnthropic',
    'ChatGPT',
    'Chat GPT',
    'chatgpt plugin',
    'СhatGРT',
    'OpenAI',
    'OpenAl',
    '0penAI',
    'Visual Studio Code',
    'VisuaI Studio Code',
    'VS Code',
    'VSCode',
    'vs-code',
    'Cursor',
    'Cursоr',
    'Curs0r',
    'Copilot Studio',
    'GitHub Copilot',
  ];
  for (const name of names) {
    const trust = await trustOf(ctx, dynamic(name), 'https://evil.example/cb');
    assert.equal(trust.kind, 'look-alike', `${name} ${JSON.stringify(trust)}`);
    assert.equal(trustColour(trust), 'red');
  }
  const trust = await trustOf(ctx, dynamic('Сlаudе'), 'https://claude.ai.evil.example/cb');
  assert.deepEqual(trust, { kind: 'look-alike', knownHost: 'claude.ai' });
  const named = { ...dynamic('Example'), metadata: { names: { de: 'Claude' } } };
  assert.equal(await level(named, 'https://evil.example/cb'), 'look-alike');
});

test('ordinary names are not called impostors', () => {
  for (const name of [
    'Example',
    'Calendar Sync',
    'Acme Agent',
    'Codebase Search',
    'Studio',
    'Visual Editor',
    'Chat',
    'Open Source Helper',
    'Curator',
    'Clause Checker',
    'Cloud Agent',
    'Todo',
    '東京',
    '',
    '!!!',
    'Maude',
    'AI',
    'Cursive',
  ]) {
    assert.deepEqual(
      resembled(name).map((client) => client.name),
      [],
      name,
    );
  }
});

test('errors go unseen only to this computer, administrators’ clients, listed hosts, and what the person uses already (AS-144, open redirection)', async () => {
  const app = dynamic('Example');
  assert.equal(await isTrustedRedirect(ctx, any, 'https://app.example/cb'), true);
  assert.equal(await isTrustedRedirect(ctx, app, 'http://127.0.0.1:5/cb'), true);
  assert.equal(await isTrustedRedirect(ctx, app, 'https://claude.ai/api/mcp/auth_callback'), true);
  assert.equal(await isTrustedRedirect(ctx, app, 'https://partner.example/cb'), true);
  for (const uri of [
    'https://client.example/cb',
    'https://claude.ai.evil.example/cb',
    'https://evil-claude.ai/cb',
    'https://claude.ai:8443/cb',
    'https://localhost/cb',
    'cursor://anysphere.cursor-mcp/oauth/callback',
  ]) {
    assert.equal(await isTrustedRedirect(ctx, app, uri), false, uri);
  }
  const grant = (id: string, endedAt: Date | undefined) => sql`
    insert into grants (environment_id, id, flow_id, user_id, client_id, session_id, browser_hash, issuer, redirect_uri, scopes, auth_method, authenticated_at, revocation_handle, created_at, absolute_expires_at, last_used_at, ended_at)
    values (${ctx.environmentId}, ${id}, 'flw_1', 'usr_1', ${app.id}, 'ses_1', ${new Uint8Array(1)}, ${ctx.issuer}, 'https://client.example/cb', '{}', 'none', ${ctx.now()}, 'h', ${ctx.now()}, ${ctx.now()}, ${ctx.now()}, ${endedAt}::timestamptz)`;
  await ctx.db.rows(grant('grt_1', ctx.now()));
  const trusted = (uri: string, userId: string): Promise<boolean> =>
    isTrustedRedirect(ctx, app, uri, { liveGrantOf: userId });
  assert.equal(
    await trusted('https://client.example/cb', 'usr_1'),
    false,
    'an ended grant counts for nothing',
  );
  await ctx.db.rows(grant('grt_2', undefined));
  assert.equal(await trusted('https://client.example/cb', 'usr_1'), true);
  assert.equal(await trusted('https://client.example/other', 'usr_1'), false);
  assert.equal(await trusted('https://client.example/cb', 'usr_2'), false);
  assert.equal(
    await isTrustedRedirect(ctx, { ...app, id: 'm2m_2' }, 'https://client.example/cb', {
      liveGrantOf: 'usr_1',
    }),
    false,
  );
});
