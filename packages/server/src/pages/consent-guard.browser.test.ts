import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { browserMissing, launchBrowser } from '../testing/browser.ts';
import { type SampleSite, startSampleSite } from '../testing/sample-site.ts';
import { samplePages } from './samples.ts';

const QUIET = 700;
const inChromium = { skip: browserMissing };

async function open(
  t: TestContext,
  name: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; site: SampleSite }> {
  const site = await startSampleSite(samplePages());
  t.after(() => site.close());
  const browser = await launchBrowser(t);
  const page = await browser.newPage({ viewport: { width: 800, height: 2000 }, ...options });
  await page.goto(`${site.origin}/${name}`);
  return { page, site };
}

const allow = 'button[name=decision][value=allow]';
const cancel = 'button[name=decision][value=deny]';
const tick = 'input[name=confirm]';

/** On a green page the script sets the tick at the moment Allow wakes up. */
const isInert = async (page: Page): Promise<boolean> => !(await page.locator(tick).isChecked());

test(
  'consent guard: a click carried over from another window lands on an inert Allow (double-click jacking, AS-153)',
  inChromium,
  async (t) => {
    const { page, site } = await open(t, 'consent-known-host');
    const box = await page.locator(allow).boundingBox();
    assert.ok(box);
    // The pointer already rests where Allow will appear, and presses without moving.
    await page.mouse.move(box.x + 10, box.y + 10);
    await page.goto(`${site.origin}/consent-known-host`);
    await page.mouse.down();
    await page.mouse.up();
    await page.waitForTimeout(QUIET + 200);
    // Told where it already is, as happens when a window above closes.
    await page.mouse.move(box.x + 10, box.y + 10);
    await page.mouse.down();
    await page.mouse.up();
    await page.waitForTimeout(100);
    assert.equal(site.posts.length, 0);
    assert.equal(await isInert(page), true);
  },
);

test(
  'consent guard: moving the pointer before the 700 ms are over does not wake Allow (AS-153)',
  inChromium,
  async (t) => {
    const { page, site } = await open(t, 'consent-known-host');
    await page.mouse.move(100, 100);
    await page.mouse.move(120, 120, { steps: 4 });
    await page.locator(allow).dispatchEvent('click');
    assert.equal(await isInert(page), true);
    await page.waitForTimeout(QUIET + 100);
    assert.equal(await isInert(page), true, 'what came before the quiet time does not count');
    await page.mouse.move(140, 140, { steps: 4 });
    assert.equal(await isInert(page), false);
    assert.equal(site.posts.length, 0);
  },
);

test(
  'consent guard: after the quiet time a pointer allows on a green page, and the script sets the tick (AS-153)',
  inChromium,
  async (t) => {
    const { page, site } = await open(t, 'consent-known-host');
    assert.equal(await page.locator(tick).isVisible(), false);
    assert.equal(await page.locator(tick).isChecked(), false);
    await page.waitForTimeout(QUIET + 100);
    await page.mouse.move(100, 100);
    await page.mouse.move(140, 140, { steps: 4 });
    assert.equal(await page.locator(tick).isChecked(), true);
    await page.click(allow);
    await page.waitForURL('**/posted');
    const [post] = site.posts;
    assert.equal(post?.get('decision'), 'allow');
    assert.equal(post?.get('confirm'), 'yes');
    assert.equal(post?.get('csrf'), 'c2FtcGxlLXRva2Vu');
  },
);

test(
  'consent guard: the keyboard alone reaches Allow (AS-153, WCAG 2.1.1)',
  inChromium,
  async (t) => {
    const { page, site } = await open(t, 'consent-known-host');
    await page.waitForTimeout(QUIET + 100);
    for (let presses = 0; presses < 40; presses += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate((query) => document.activeElement?.matches(query) === true, allow))
        break;
    }
    await page.keyboard.press('Enter');
    await page.waitForURL('**/posted');
    assert.equal(site.posts[0]?.get('decision'), 'allow');
    assert.equal(site.posts[0]?.get('confirm'), 'yes');
  },
);

test(
  'consent guard: losing the focus makes Allow inert again and takes the tick back (AS-153)',
  inChromium,
  async (t) => {
    const { page, site } = await open(t, 'consent-known-host');
    const setFocus = (focused: boolean): Promise<void> =>
      page.evaluate((has) => {
        document.hasFocus = () => has;
        window.dispatchEvent(new Event(has ? 'focus' : 'blur'));
      }, focused);
    await page.waitForTimeout(QUIET + 100);
    await page.mouse.move(100, 100);
    await page.mouse.move(140, 140, { steps: 4 });
    assert.equal(await isInert(page), false);
    await setFocus(false);
    assert.equal(await isInert(page), true);
    assert.equal(await page.locator(tick).isChecked(), false);
    await page.waitForTimeout(QUIET + 100);
    await page.mouse.move(200, 200, { steps: 4 });
    assert.equal(await isInert(page), true, 'time without focus does not count');
    await setFocus(true);
    await page.mouse.move(300, 300, { steps: 4 });
    assert.equal(await isInert(page), true, 'the quiet time starts again');
    await page.waitForTimeout(QUIET + 100);
    await page.mouse.move(320, 320, { steps: 4 });
    assert.equal(await isInert(page), false);
    assert.equal(site.posts.length, 0);
  },
);

test(
  'consent guard: an amber page needs the tick by hand, even with an awake Allow; Cancel needs nothing (AS-153)',
  inChromium,
  async (t) => {
    const { page, site } = await open(t, 'consent-self-declared');
    await page.waitForTimeout(QUIET + 100);
    await page.click(allow);
    await page.waitForTimeout(200);
    assert.equal(site.posts.length, 0, 'the browser asks for the tick');
    await page.check(tick);
    await page.click(allow);
    await page.waitForURL('**/posted');
    assert.equal(site.posts[0]?.get('confirm'), 'yes');
    await page.goto(`${site.origin}/consent-self-declared`);
    await page.click(cancel);
    await page.waitForURL('**/posted');
    assert.equal(site.posts[1]?.get('decision'), 'deny');
    assert.equal(site.posts[1]?.has('confirm'), false);
  },
);

test('consent guard: Enter in a tick box decides nothing (AS-153)', inChromium, async (t) => {
  const { page, site } = await open(t, 'consent-self-declared');
  await page.waitForTimeout(QUIET + 100);
  await page.check(tick);
  await page.focus(tick);
  await page.keyboard.press('Enter');
  await page.waitForTimeout(200);
  assert.equal(site.posts.length, 0);
});

test(
  'consent guard: with scripts off the tick is visible and required, Cancel works without it (AS-153)',
  inChromium,
  async (t) => {
    const { page, site } = await open(t, 'consent-known-host', { javaScriptEnabled: false });
    assert.equal(await page.locator(tick).isVisible(), true);
    await page.click(allow);
    await page.waitForTimeout(200);
    assert.equal(site.posts.length, 0);
    await page.click(tick);
    await page.click(allow);
    await page.waitForURL('**/posted');
    assert.equal(site.posts[0]?.get('confirm'), 'yes');
    await page.goto(`${site.origin}/consent-known-host`);
    await page.click(cancel);
    await page.waitForURL('**/posted');
    assert.equal(site.posts[1]?.get('decision'), 'deny');
  },
);

test(
  'code page: a complete pasted code submits itself once, a second click sends nothing twice',
  inChromium,
  async (t) => {
    const { page, site } = await open(t, 'email-code');
    await page.locator('#code').fill('481 22');
    await page.waitForTimeout(100);
    assert.equal(site.posts.length, 0);
    await page.locator('#code').fill('481 220');
    await page.waitForURL('**/posted');
    assert.equal(site.posts[0]?.get('code'), '481 220');
    assert.equal(site.posts[0]?.get('action'), 'verify');
    await page.goto(`${site.origin}/identify`);
    await page.fill('#email', 'ana@example.com');
    await page.evaluate(() => {
      const button = document.querySelector('form button');
      if (button instanceof HTMLElement) for (const _ of [1, 2, 3]) button.click();
    });
    await page.waitForURL('**/posted');
    assert.equal(site.posts.length, 2);
  },
);

test(
  'code page: a new code can be asked for after the countdown; with scripts off the button is plain',
  inChromium,
  async (t) => {
    const { page, site } = await open(t, 'email-code-wait');
    const resend = page.locator('button[value=resend]');
    assert.match(
      (await resend.textContent()) ?? '',
      /^You can ask for a new code in (20|19) seconds\.$/,
    );
    await resend.dispatchEvent('click');
    await page.waitForTimeout(100);
    assert.equal(site.posts.length, 0);
    const plain = await page.context().browser()?.newPage({ javaScriptEnabled: false });
    assert.ok(plain);
    await plain.goto(`${site.origin}/email-code-wait`);
    assert.equal(await plain.locator('button[value=resend]').textContent(), 'Send a new code');
    await plain.locator('button[value=resend]').click();
    await plain.waitForURL('**/posted');
    assert.equal(site.posts[0]?.get('action'), 'resend');
  },
);
