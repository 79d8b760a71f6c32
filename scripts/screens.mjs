// Draws every hosted page from sample models, each in light, dark and on a narrow screen, into docs/screens/.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { samplePages } from '../packages/server/src/pages/samples.ts';
import { browserMissing, startBrowser } from '../packages/server/src/testing/browser.ts';
import { startSampleSite } from '../packages/server/src/testing/sample-site.ts';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const folder = join(root, 'docs/screens');
const sharp = createRequire(join(root, 'packages/server/package.json'))('sharp');

/** Pictures stay small enough to keep in the repository. */
const MAX_BYTES = 40 * 1024;

/** One look of many alike is enough in the manual; tests open them all. */
const LEFT_OUT =
  /^(identify-(mcp|too-many|methods)|email-code-(budget|wait)|sign-up-error|no-organization|consent-(local-app-scheme|unregistered)|error-(?!unknown-client|redirect|untrusted|expired|unexpected))/;

const LOOKS = [
  { look: 'light', colorScheme: 'light', viewport: { width: 512, height: 560 }, fullPage: true },
  { look: 'dark', colorScheme: 'dark', viewport: { width: 512, height: 560 }, fullPage: true },
  { look: 'narrow', colorScheme: 'light', viewport: { width: 320, height: 640 }, fullPage: false },
];

/** The same picture with the few colours a page has. */
function reduced(picture) {
  return sharp(picture)
    .removeAlpha()
    .png({ palette: true, colours: 16, effort: 10, dither: 0 })
    .toBuffer();
}

async function draw(browser, origin, names) {
  let count = 0;
  for (const { look, fullPage, ...options } of LOOKS) {
    const page = await browser.newPage({ ...options, reducedMotion: 'reduce' });
    for (const name of names) {
      await page.goto(`${origin}/${name}`);
      if (name.startsWith('consent'))
        await page.waitForSelector('button[value=allow]:not([aria-disabled])');
      const picture = await reduced(await page.screenshot({ fullPage }));
      if (picture.length > MAX_BYTES)
        throw new Error(`${name} takes ${picture.length} bytes, more than ${MAX_BYTES}`);
      writeFileSync(join(folder, `${name}.${look}.png`), picture);
      count += 1;
    }
    await page.close();
  }
  return count;
}

async function main() {
  if (browserMissing) throw new Error(browserMissing);
  const pages = samplePages();
  const names = Object.keys(pages).filter((name) => !LEFT_OUT.test(name));
  const site = await startSampleSite(pages);
  const browser = await startBrowser();
  try {
    mkdirSync(folder, { recursive: true });
    for (const file of readdirSync(folder)) if (file.endsWith('.png')) rmSync(join(folder, file));
    const count = await draw(browser, site.origin, names);
    process.stdout.write(`docs/screens: ${count} pictures\n`);
  } finally {
    await browser.close();
    await site.close();
  }
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
