import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';
import type { Browser } from 'playwright-core';

const usualPlaces = ['/usr/bin/chromium', '/usr/bin/chromium-browser'];

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Path of an installed Chromium: `CHROMIUM_PATH`, else where Linux packages put it; undefined when there is none. */
export function findChromium(): string | undefined {
  const given = process.env['CHROMIUM_PATH'];
  return [...(given === undefined ? [] : [given]), ...usualPlaces].find((path) => existsSync(path));
}

/** For the `skip` option of a browser test: why it cannot run here, or false when it can. */
export const browserMissing: string | false =
  findChromium() === undefined &&
  'Chromium is not installed: apt-get install chromium, or set CHROMIUM_PATH';

/**
 * A real Chromium, closed when the test ends. Downloads nothing.
 *
 * @throws {Error} no Chromium is installed; the message says what to install
 */
export async function launchBrowser(t: TestContext): Promise<Browser> {
  const browser = await startBrowser();
  t.after(() => browser.close());
  return browser;
}

/** The same without a test around it; the caller closes it. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error(String(browserMissing));
  // Loaded here: most tests that have this file in reach never open a browser, and it takes a third of a second.
  const { chromium } = await import('playwright-core');
  return await chromium.launch({ executablePath, args: flags });
}
