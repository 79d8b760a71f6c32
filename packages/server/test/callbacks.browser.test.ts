import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Page } from 'playwright-core';
import { browserMissing, launchBrowser } from '../src/testing/browser.ts';
import { pressAllow, reachConsent, startOtherSite } from '../src/testing/browser-person.ts';
import { eventually, startMcpSite } from '../src/testing/mcp-site.ts';

const inChromium = { skip: browserMissing };
const site = await startMcpSite({ after });
/** A native client's loopback listener, whose own next hop is another origin. */
const listener = await startOtherSite({ after }, (url, _request, response) => {
  if (url.pathname !== '/cb') return void response.end('<h1>You can close this window</h1>');
  response.writeHead(302, { location: `${listener.sameSite}/done` }).end();
});
const LISTENER = `${listener.crossSite}/cb`;
const APP = 'com.example.app:/cb';
const HTTPS = 'https://client.example/cb';

type Seen = { readonly console: string[]; readonly requests: string[] };

/** What Chromium says about a page, and where it goes: addresses that it hands to other programs, too. */
function watch(page: Page): Seen {
  const seen: Seen = { console: [], requests: [] };
  page.on('console', (message) => seen.console.push(message.text()));
  page.on('request', (request) => seen.requests.push(request.url()));
  return seen;
}

/** A new client with this redirect URI, and its consent page as we send it. */
async function onConsent(page: Page, redirectUri: string, email: string): Promise<Seen> {
  const client = await site.clientWith({ redirect_uris: [redirectUri] });
  await reachConsent(page, site.url({ client_id: client, redirect_uri: redirectUri }), email);
  return watch(page);
}

test(
  'Allow brings the code to a loopback listener and to its own next hop, with scripts on and off (AS-128, AS-129, pitfall 21)',
  inChromium,
  async (t) => {
    const browser = await launchBrowser(t);
    for (const javaScriptEnabled of [true, false]) {
      const page = await browser.newPage({ javaScriptEnabled });
      const seen = await onConsent(page, LISTENER, 'listener+sktest@example.com');
      await pressAllow(page);
      await page.waitForURL(`${listener.sameSite}/done`);
      assert.deepEqual(seen.console, []);
      const arrived = listener.visits.filter(({ pathname }) => pathname === '/cb').at(-1);
      assert.match(arrived?.searchParams.get('code') ?? '', /^[A-Za-z0-9_-]{43}$/);
      assert.equal(arrived?.searchParams.get('state'), 'st');
      assert.deepEqual(arrived?.searchParams.getAll('iss'), [site.issuer]);
    }
  },
);

for (const [what, redirectUri] of [
  ['an application by its private-use scheme (AS-54)', APP],
  ['an https client', HTTPS],
] as const)
  test(`Allow reaches ${what} (AS-129, pitfall 21)`, inChromium, async (t) => {
    const page = await (await launchBrowser(t)).newPage();
    const seen = await onConsent(page, redirectUri, 'allowed+sktest@example.com');
    await pressAllow(page);
    const left = await eventually(
      async () => seen.requests.find((url) => url.startsWith(`${redirectUri}?code=`)),
      (url) => url !== undefined,
    );
    assert.ok(left, seen.console.join('\n'));
  });

test(
  "with form-action 'self' on the consent page none of them would arrive: why it is absent (AS-129, pitfall 21)",
  inChromium,
  async (t) => {
    const browser = await launchBrowser(t);
    for (const redirectUri of [LISTENER, APP, HTTPS]) {
      const page = await browser.newPage();
      const seen = await onConsent(page, redirectUri, 'blocked+sktest@example.com');
      await page.route('**/oauth/authorize/*', async (route) => {
        if (route.request().method() !== 'GET') return await route.continue();
        const response = await route.fetch();
        const headers = response.headers();
        const policy = headers['content-security-policy'] ?? '';
        assert.ok(policy !== '' && !policy.includes('form-action'), policy);
        headers['content-security-policy'] = `${policy}; form-action 'self'`;
        await route.fulfill({ response, headers });
      });
      await page.reload();
      const visits = listener.visits.length;
      await pressAllow(page);
      const refused = await eventually(
        async () => seen.console.find((line) => line.includes('form-action')),
        (line) => line !== undefined,
      );
      assert.ok(refused, `${redirectUri}: ${seen.requests.join('\n')}`);
      assert.equal(listener.visits.length, visits);
      await page.close();
    }
  },
);

test('a double click on Allow ends at the client, once (AS-128)', inChromium, async (t) => {
  const page = await (await launchBrowser(t)).newPage();
  await onConsent(page, LISTENER, 'double+sktest@example.com');
  const before = listener.visits.length;
  await page.check('input[name=confirm]');
  await page.waitForTimeout(800);
  await page.mouse.move(60, 60, { steps: 3 });
  await page.dblclick('button[name=decision][value=allow]', { noWaitAfter: true });
  await page.waitForURL(`${listener.sameSite}/done`);
  const codes = listener.visits.slice(before).flatMap((url) => url.searchParams.getAll('code'));
  assert.equal(new Set(codes).size, 1);
});
