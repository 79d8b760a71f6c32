import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import type { BrowserContext } from 'playwright-core';
import { sql } from '../src/storage/db.ts';
import { browserMissing, launchBrowser } from '../src/testing/browser.ts';
import { reachConsent, startOtherSite } from '../src/testing/browser-person.ts';
import { eventually, startMcpSite } from '../src/testing/mcp-site.ts';

const inChromium = { skip: browserMissing };
const site = await startMcpSite({ after });
const { gatewarden } = site;
const known = await site.knownClient(['https://known.example/cb']);
const ALLOW = 'button[name=decision][value=allow]';

/** A page that opens a window over itself, sends itself to the consent page below, and closes the window at the first click. */
const attacker = await startOtherSite({ after }, (url, _request, response) => {
  const target = JSON.stringify(url.searchParams.get('target') ?? '');
  response.end(
    url.pathname === '/window'
      ? `<button style="position:fixed;inset:0;width:100%">Double-click to win</button>
         <script>addEventListener('mousedown', () => close());</script>`
      : `<button style="position:fixed;inset:0;width:100%" onclick="open('/window', 'over', 'width=600,height=600'); location = ${target.replaceAll('"', '&quot;')}">Play</button>`,
  );
});

/** A person signed in. Headless windows all believe that they have the focus: the worst case for the guard. */
async function person(t: TestContext, email: string): Promise<BrowserContext> {
  const context = await (await launchBrowser(t)).newContext({
    viewport: { width: 800, height: 2000 },
  });
  const page = await context.newPage();
  await reachConsent(page, site.url(), email);
  await page.close();
  return context;
}

async function codesOf(email: string): Promise<number> {
  const rows = await gatewarden.database.rows<{ count: number }>(
    sql`select count(*)::int as count from authorization_codes c join users u on u.id = c.user_id where u.email = ${email}`,
  );
  return rows[0]?.count ?? 0;
}

test(
  'a double click begun in a pop-up that closes under it does not allow what lies below (AS-153, double-click jacking)',
  inChromium,
  async (t) => {
    const email = 'jacked+sktest@example.com';
    const context = await person(t, email);
    const target = site.url({ client_id: known, redirect_uri: 'https://known.example/cb' });
    const below = await context.newPage();
    await below.goto(target);
    const box = await below.locator(ALLOW).boundingBox();
    assert.ok(box);
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await below.goto(`${attacker.sameSite}/?target=${encodeURIComponent(target)}`);
    const opened = context.waitForEvent('page');
    await below.mouse.click(x, y);
    const over = await opened;
    await below.waitForSelector('form[data-step=consent]');
    // Long enough for the page below to have been read, if anybody had seen it.
    await over.waitForTimeout(1200);
    await over.mouse.move(200, 200);
    const closed = over.waitForEvent('close');
    await over.mouse.down().catch(() => undefined);
    await closed;
    // The pointer rests where Allow has appeared, the page below is told so, and the second click follows.
    await below.mouse.move(x, y);
    await below.mouse.down();
    await below.mouse.up();
    await below.waitForTimeout(300);
    assert.equal(await below.locator('form[data-step=consent]').count(), 1);
    assert.equal(await codesOf(email), 0, 'nothing was granted');
    // A refused click has shown the tick, for those who press buttons without a pointer.
    await below.check('input[name=confirm]');
    await below.click(ALLOW, { noWaitAfter: true });
    const granted = await eventually(
      () => codesOf(email),
      (codes) => codes > 0,
    );
    assert.equal(granted, 1, 'who means it still can');
  },
);

test(
  'a client that opens the flow in a pop-up keeps its handle on it, and sees it come back (AS-129, pitfall 22)',
  inChromium,
  async (t) => {
    const context = await person(t, 'popup+sktest@example.com');
    const opener = await context.newPage();
    const back = `${attacker.sameSite}/back`;
    const client = await site.knownClient([back]);
    await opener.goto(`${attacker.sameSite}/`);
    const opened = context.waitForEvent('page');
    const target = site.url({ client_id: client, redirect_uri: back });
    await opener.evaluate((address) => {
      Reflect.set(window, 'flow', window.open(address, 'flow', 'width=600,height=600'));
    }, target);
    const flow = await opened;
    await flow.waitForSelector('form[data-step=consent]');
    const handle = (): Promise<boolean> =>
      opener.evaluate(() => Reflect.get(Reflect.get(window, 'flow'), 'closed') === true);
    assert.equal(await handle(), false, 'not cut off by an opener policy');
    await flow.waitForTimeout(800);
    await flow.mouse.move(60, 60);
    await flow.mouse.move(90, 90, { steps: 3 });
    await flow.click(ALLOW, { noWaitAfter: true });
    await flow.waitForURL(`${back}?**`);
    const seen = await opener.evaluate(() =>
      String(Reflect.get(Reflect.get(Reflect.get(window, 'flow'), 'location'), 'search')),
    );
    assert.match(seen, /[?&]code=[A-Za-z0-9_-]{43}&/);
    assert.equal(await flow.evaluate(() => window.opener !== null), true);
  },
);
