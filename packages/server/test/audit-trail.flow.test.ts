import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { changeMcpServer } from '../src/mcp/manage-mcp-servers.ts';
import { sql } from '../src/storage/db.ts';
import { asLanding, asPage, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { HTTPS, LOOPBACK, startMcpSite } from '../src/testing/mcp-site.ts';
import { allow, signIn, token } from '../src/testing/oauth-client.ts';

const site = await startMcpSite({ after });
const { gatewarden, issuer, server } = site;

type Recorded = {
  type: string;
  outcome: string;
  reason: string | null;
  flow_id: string | null;
  request_id: string | null;
  client_id: string | null;
  user_id: string | null;
  mcp_server_id: string | null;
};

const columns = sql`type, outcome, reason, flow_id, request_id, client_id, user_id, mcp_server_id`;

async function ofClient(clientId: string): Promise<Recorded[]> {
  return await gatewarden.database.rows<Recorded>(
    sql`select ${columns} from events where client_id = ${clientId} order by id`,
  );
}

async function ofReference(reference: string | undefined): Promise<Recorded[]> {
  return await gatewarden.database.rows<Recorded>(
    sql`select ${columns} from events where request_id = ${reference} order by id`,
  );
}

function referenceOn(html: string): string | undefined {
  return /\breq_[0-9a-z]{16}\b/.exec(html)?.[0];
}

test('one id follows a flow from the authorization request over sign-in and consent to token and refresh (AS-140)', async () => {
  const client = await site.clientWith({
    redirect_uris: [LOOPBACK],
    grant_types: ['authorization_code', 'refresh_token'],
  });
  const browser = cookieBrowser(gatewarden.url);
  const identify = asPage(await browser.open(site.url({ client_id: client })));
  const consent = asPage(await signIn(browser, identify, 'trail+sktest@example.com'));
  const first = await site.redeem(await allow(browser, consent), { client_id: client });
  const refreshed = await token(issuer, {
    grant_type: 'refresh_token',
    client_id: client,
    refresh_token: String(first.body['refresh_token']),
  });
  assert.equal(refreshed.status, 200);
  const events = await ofClient(client);
  const flow = events.find(({ type }) => type === 'authorization.requested')?.flow_id;
  assert.match(flow ?? '', /^flw_[A-Za-z0-9_-]{22}$/);
  const hops = events.filter(({ flow_id }) => flow_id === flow).map(({ type }) => type);
  for (const hop of [
    'authorization.requested',
    'sign_in.test_user_mail_suppressed',
    'sign_in.succeeded',
    'consent.granted',
    'token.issued',
  ])
    assert.ok(hops.includes(hop), `${hop} is not among ${hops.join(', ')}`);
  assert.equal(hops.filter((hop) => hop.startsWith('token.')).length, 2, 'the refresh, too');
  for (const event of events.filter(({ type }) => /^(consent|token)\./.test(type))) {
    assert.equal(event.mcp_server_id, server.id);
    assert.match(event.user_id ?? '', /^usr_/);
  }
});

test('refusals are events with client, server and reason, before and after the person decides (AS-140)', async () => {
  const client = await site.clientWith({ redirect_uris: [LOOPBACK] });
  const browser = cookieBrowser(gatewarden.url);
  asLanding(await browser.open(site.url({ client_id: client, response_type: 'token' })));
  asPage(await browser.open(site.url({ client_id: client, redirect_uri: HTTPS })));
  const target = site.url({ client_id: client });
  const page = await site.consentOf(browser, target, 'refusals+sktest@example.com');
  asLanding(await browser.submit(page, { decision: 'deny' }));
  await token(issuer, {
    grant_type: 'authorization_code',
    client_id: client,
    code: 'unknown',
    code_verifier: site.verifier.verifier,
  });
  const events = await ofClient(client);
  const seen = events.map(({ type, outcome, reason }) =>
    `${type} ${outcome} ${reason ?? ''}`.trim(),
  );
  for (const wanted of [
    'authorization.refused failure unsupported_response_type',
    'authorization.refused failure redirect-uri-not-registered',
    'consent.denied success',
    'token.refused failure invalid_grant',
  ])
    assert.ok(seen.includes(wanted), `${wanted} is not among ${seen.join(', ')}`);
});

test('the reference on a page and in a JSON error finds its event (AS-141)', async () => {
  const untrusted = await site.clientWith({ redirect_uris: [HTTPS] });
  const pages: [string, string][] = [
    ['unknown-client', site.url({ client_id: 'm2m_123456789012345678' })],
    ['redirect-uri-not-registered', site.url({ redirect_uri: HTTPS })],
    [
      'untrusted-client',
      site.url({ client_id: untrusted, redirect_uri: HTTPS, response_type: 'token' }),
    ],
    ['other-browser', `${gatewarden.url}/login/${'x'.repeat(43)}/email`],
    ['not-found', `${gatewarden.url}/resources/res_123456789012345678/oauth/authorize?client_id=x`],
  ];
  for (const [reason, target] of pages) {
    const page = asPage(await cookieBrowser(gatewarden.url).open(target));
    const events = await ofReference(referenceOn(page.html));
    assert.ok(
      events.some((event) => event.type === 'page.error' && event.reason === reason),
      `${reason}: ${JSON.stringify(events)}`,
    );
  }
  // Refusals of the token endpoint are equal byte for byte; there the reference is a header.
  const answer = await token(issuer, {
    grant_type: 'authorization_code',
    client_id: site.loopback,
    code: 'unknown',
    code_verifier: site.verifier.verifier,
  });
  const events = await ofReference(answer.headers.get('x-request-id') ?? '');
  assert.deepEqual(
    events.map(({ type, reason }) => [type, reason]),
    [['token.refused', 'invalid_grant']],
  );
});

test('switching a server off is an event, and so is each token it ends (AS-140, AS-13)', async () => {
  const own = await gatewarden.mcpServer({ name: 'Ended' });
  await changeMcpServer(gatewarden.context(), own.id, { enabled: false });
  const events = await gatewarden.database.rows<Recorded>(
    sql`select ${columns} from events where mcp_server_id = ${own.id} order by id`,
  );
  assert.deepEqual(
    events.map(({ type }) => type),
    ['mcp_server.created', 'grants.ended', 'mcp_server.updated'],
  );
});
