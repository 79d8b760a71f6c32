import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Page } from 'playwright-core';
import type { Cleanup } from './databases.ts';

/** A test user in front of a real browser: signs in where that is asked for, and stands on the consent page. */
export async function reachConsent(page: Page, target: string, email: string): Promise<void> {
  await page.goto(target);
  if ((await page.locator('form[data-step=identify]').count()) > 0) {
    await page.fill('input[name=email]', email);
    await page.click('form[data-step=identify] button[type=submit]:not([name])');
    await page.waitForSelector('form[data-step=email-code]');
    // A complete code sends itself; without scripts the button does.
    await page.fill('input[name=code]', '424242');
    await page.click('button[value=verify]', { timeout: 1000 }).catch(() => undefined);
  }
  await page.waitForSelector('form[data-step=consent]');
}

/** Reads the page as long as the guard wants, vouches where that is asked for, and presses Allow (AS-153). */
export async function pressAllow(page: Page): Promise<void> {
  const tick = page.locator('input[name=confirm]');
  if (await tick.isVisible()) await tick.check();
  await page.waitForTimeout(800);
  await page.mouse.move(40, 40);
  await page.mouse.move(60, 60, { steps: 3 });
  await page.click('button[name=decision][value=allow]', { noWaitAfter: true });
}

export type OtherSite = {
  /** On `localhost`: another origin of the same site as a server on localhost. */
  readonly sameSite: string;
  /** On 127.0.0.1: another site. */
  readonly crossSite: string;
  /** Addresses asked for so far. */
  readonly visits: URL[];
};

/** Somebody else's web site on a port of its own. */
export async function startOtherSite(
  t: Cleanup,
  answer: (url: URL, request: IncomingMessage, response: ServerResponse) => void,
): Promise<OtherSite> {
  const visits: URL[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    visits.push(url);
    response.setHeader('content-type', 'text/html; charset=utf-8');
    answer(url, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was bound');
  const { port } = address;
  return { sameSite: `http://localhost:${port}`, crossSite: `http://127.0.0.1:${port}`, visits };
}
