import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { browserMissing, launchBrowser } from '../testing/browser.ts';
import { startSampleSite } from '../testing/sample-site.ts';
import { consentPage } from './consent.ts';
import { sampleConsent, sampleFrame, samplePages } from './samples.ts';

const axeSource = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
);

test('pages in Chromium: no accessibility violation, console message or CSP report in light, dark and at 320 px (AS-129)', {
  skip: browserMissing,
}, async (t) => {
  const pages = distinctPages();
  const site = await startSampleSite(pages);
  t.after(() => site.close());
  const browser = await launchBrowser(t);
  for (const look of [
    { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
    { colorScheme: 'dark', viewport: { width: 320, height: 640 } },
  ] as const) {
    const context = await browser.newContext({ ...look, reducedMotion: 'reduce' });
    const page = await context.newPage();
    const troubles: string[] = [];
    page.on('console', (message) => troubles.push(message.text()));
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('request', (request) => {
      if (!request.url().startsWith(site.origin)) troubles.push(request.url());
    });
    for (const name of Object.keys(pages)) {
      await page.goto(`${site.origin}/${name}`);
      assert.deepEqual(troubles, [], `${name}, ${look.colorScheme}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${name} is ${overflow} px wider than ${look.viewport.width}`);
      assert.deepEqual(await violations(page), [], `${name}, ${look.colorScheme}`);
    }
    await context.close();
  }
});

test('pages in Chromium: right to left, nothing sticks out and axe agrees', {
  skip: browserMissing,
}, async (t) => {
  const pages = samplePages({ ...sampleFrame, locale: 'ar-XB' });
  const site = await startSampleSite(pages);
  t.after(() => site.close());
  const page = await (await launchBrowser(t)).newPage({ viewport: { width: 320, height: 640 } });
  for (const name of [
    'identify',
    'email-code-error',
    'consent-self-declared',
    'error-redirect-uri-not-registered',
  ]) {
    await page.goto(`${site.origin}/${name}`);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).direction), 'rtl');
    assert.deepEqual(
      await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
      0,
      name,
    );
    assert.deepEqual(await violations(page), [], name);
  }
});

test('pages in Chromium: buttons, links in lists and fields are at least 44 px high', {
  skip: browserMissing,
}, async (t) => {
  const pages = samplePages();
  const site = await startSampleSite(pages);
  t.after(() => site.close());
  const page = await (await launchBrowser(t)).newPage({ viewport: { width: 320, height: 640 } });
  for (const name of Object.keys(pages)) {
    await page.goto(`${site.origin}/${name}`);
    const low = await page.evaluate(() =>
      [
        ...document.querySelectorAll(
          'button, input:not([type=hidden], [type=checkbox]), select, summary, .check, a.primary, a.secondary',
        ),
      ]
        .filter(
          (element) => element.checkVisibility() && element.getBoundingClientRect().height < 43.5,
        )
        .map((element) => element.outerHTML),
    );
    assert.deepEqual(low, [], name);
  }
});

test('consent in Chromium: name and host stay in sight at 320 px, at zoom and with hostile names (AS-126)', {
  skip: browserMissing,
}, async (t) => {
  const names = [
    'W'.repeat(60),
    `Z${'\u0335\u0336\u0337'.repeat(40)}algo`,
    '\u202Eevil\u202C קלוד',
    'Claude\u200B\u200B by Anthropic (verified by the operator of this site)',
  ];
  const host = `${'accounts-'.repeat(6)}.${'x'.repeat(60)}.planner.example`;
  const pages = Object.fromEntries(
    names.map((clientName, index) => [
      `name-${index}`,
      consentPage(
        sampleFrame,
        sampleConsent({
          clientName,
          firstSeen: true,
          redirect: { kind: 'web', host, domain: 'planner.example' },
        }),
      ),
    ]),
  );
  const site = await startSampleSite(pages);
  t.after(() => site.close());
  const browser = await launchBrowser(t);
  // The last is 1280 by 800 at 200 %.
  for (const viewport of [
    { width: 320, height: 640 },
    { width: 390, height: 700 },
    { width: 640, height: 400 },
  ]) {
    const page = await browser.newPage({ viewport });
    for (const name of Object.keys(pages)) {
      await page.goto(`${site.origin}/${name}`);
      assert.ok(await inSight(page, 'h1 bdi'), `${name}: client name at ${viewport.width}`);
      assert.ok(await inSight(page, '.who .host strong'), `${name}: host at ${viewport.width}`);
      if (viewport.width > 480) continue;
      await page.evaluate(() => document.querySelector('.small-print')?.scrollIntoView());
      assert.ok(
        await inSight(page, '.who .host strong'),
        `${name}: host after scrolling at ${viewport.width}`,
      );
      assert.ok(
        await inSight(page, '.decision button[value=deny]'),
        `${name}: Cancel after scrolling`,
      );
      assert.ok(
        await inSight(page, '.decision button[value=allow]'),
        `${name}: Allow after scrolling`,
      );
    }
    await page.close();
  }
});

/** Every sample but the error pages that are built just like another one. */
function distinctPages(): ReturnType<typeof samplePages> {
  const kinds = [
    'unknown-client',
    'redirect-uri-not-registered',
    'untrusted-client',
    'expired',
    'no-context',
  ];
  const distinct = Object.entries(samplePages()).filter(
    ([name]) => !name.startsWith('error-') || kinds.includes(name.slice(6)),
  );
  assert.ok(distinct.length > 34);
  return Object.fromEntries(distinct);
}

/** True when the first match lies wholly in the viewport and nothing is painted over its middle and ends. */
function inSight(page: Page, selector: string): Promise<boolean> {
  return page.evaluate((query) => {
    const element = document.querySelector(query);
    if (element === null) return false;
    return [...element.getClientRects()].every((box) => {
      const points = [
        [box.left + 1, box.top + box.height / 2],
        [box.left + box.width / 2, box.top + box.height / 2],
        [box.right - 1, box.top + box.height / 2],
      ] as const;
      return points.every(([x, y]) => {
        const top = document.elementFromPoint(x, y);
        return top !== null && (element.contains(top) || top.contains(element));
      });
    });
  }, selector);
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run: (options: unknown) => Promise<{
          violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[];
        }>;
      };
    };
    const result = await axe.run({ resultTypes: ['violations'], preload: false });
    return result.violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`),
    );
  });
}
