import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium, type Page } from 'playwright-core';

const CHROMIUM = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
].find((path) => path !== undefined && existsSync(path));

/** Why browser tests cannot run here, for `skip`; false when they can. */
export const withoutBrowser: string | false =
  CHROMIUM === undefined
    ? 'Chromium is not installed (Debian package chromium, or CHROMIUM_PATH)'
    : false;

/** A real browser with an empty profile, closed with the test. */
export async function openBrowser(t: { after(work: () => Promise<void>): void }): Promise<Browser> {
  assert.ok(CHROMIUM);
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  t.after(() => browser.close());
  return browser;
}

/** Where a client waits for its code: a loopback server as native clients run one. */
export async function callbackServer(t: {
  after(work: () => Promise<void>): void;
}): Promise<{ url: string; next(): Promise<URL> }> {
  const arrived: URL[] = [];
  const waiting: ((url: URL) => void)[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    response
      .setHeader('content-type', 'text/html')
      .end('<title>Connected</title><main><h1>You can close this window</h1></main>');
    if (url.pathname !== '/callback') return;
    const waiter = waiting.shift();
    if (waiter) waiter(url);
    else arrived.push(url);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/callback`,
    next: () => {
      const first = arrived.shift();
      return first ? Promise.resolve(first) : new Promise((done) => waiting.push(done));
    },
  };
}

/**
 * A person in front of the pages: signs in with the code from the mailbox when asked to, reads the consent page, vouches for it
 * and allows. Resolves when the browser has left for the client.
 *
 * @returns the text of the consent page
 */
export async function allowInBrowser(
  page: Page,
  url: URL | string,
  who: { email: string; mailboxUrl: string },
): Promise<string> {
  await page.goto(String(url));
  if ((await step(page)) === 'identify') {
    await page.fill('input[name=email]', who.email);
    await page.click('form[data-step=identify] button[type=submit]:not([name])');
    await page.waitForSelector('form[data-step=email-code]');
    await page.fill('input[name=code]', await codeFor(who));
    // A full code may already have sent itself.
    await page.click('button[value=verify]', { timeout: 2000 }).catch(() => undefined);
  }
  await page.waitForSelector('form[data-step=consent]');
  const text = (await page.textContent('main')) ?? '';
  const tick = page.locator('input[name=confirm]');
  if (await tick.isVisible()) await tick.check();
  await page.waitForTimeout(900);
  await page.mouse.move(40, 40);
  await page.mouse.move(60, 60);
  await page.click('button[name=decision][value=allow]');
  await page.waitForURL((next) => /callback$/.test(next.pathname));
  return text;
}

async function step(page: Page): Promise<string | null> {
  return await page.locator('form[data-step]').first().getAttribute('data-step');
}

async function codeFor({
  email,
  mailboxUrl,
}: {
  email: string;
  mailboxUrl: string;
}): Promise<string> {
  for (let tries = 0; tries < 50; tries += 1) {
    const mails = (await (
      await fetch(`${mailboxUrl}.json?to=${encodeURIComponent(email)}`)
    ).json()) as { code?: string }[];
    const code = mails.find((mail) => mail.code !== undefined)?.code;
    if (code !== undefined) return code;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`no mail with a code came to ${email}`);
}
