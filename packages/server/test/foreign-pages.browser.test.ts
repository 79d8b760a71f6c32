import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Page } from 'playwright-core';
import { sql } from '../src/storage/db.ts';
import { browserMissing, launchBrowser } from '../src/testing/browser.ts';
import { pressAllow, reachConsent, startOtherSite } from '../src/testing/browser-person.ts';
import { LOOPBACK, startMcpSite } from '../src/testing/mcp-site.ts';

const inChromium = { skip: browserMissing };
const site = await startMcpSite({ after });
const { gatewarden } = site;

/** What the foreign page shows, by path. */
const pages = new Map<string, string>();
const foreign = await startOtherSite({ after }, (url, _request, response) => {
  response.end(pages.get(url.pathname) ?? '<h1>Elsewhere</h1>');
});

async function codesOf(email: string): Promise<number> {
  const rows = await gatewarden.database.rows<{ count: number }>(
    sql`select count(*)::int as count from authorization_codes c join users u on u.id = c.user_id where u.email = ${email}`,
  );
  return rows[0]?.count ?? 0;
}

/** The fields that a thief would need to send, as the page has them. */
async function fieldsOf(page: Page): Promise<{ action: string; fields: [string, string][] }> {
  return await page.$eval('form[data-step=consent]', (form) => ({
    action: form instanceof HTMLFormElement ? form.action : '',
    fields: [...new FormData(form as HTMLFormElement)].map(([name, value]): [string, string] => [
      name,
      String(value),
    ]),
  }));
}

function selfPosting(form: { action: string; fields: readonly [string, string][] }): string {
  const fields = [...form.fields, ['decision', 'allow'], ['confirm', 'yes']];
  const inputs = fields.map(([name, value]) => `<input name="${name}" value="${value}">`);
  return `<form method="post" action="${form.action}">${inputs.join('')}</form><script>document.forms[0].submit()</script>`;
}

/** Status of the answer to the POST that a page makes by itself. */
async function statusOfPost(page: Page, address: string, action: string): Promise<number> {
  const answered = page.waitForResponse(
    (response) => response.url() === action && response.request().method() === 'POST',
  );
  await page.goto(address);
  return (await answered).status();
}

test(
  'a foreign page that posts the consent form is refused, be it of the same site, of another one, or a sandboxed frame, with a stolen token or the right one (AS-129, AS-128, CSRF)',
  inChromium,
  async (t) => {
    const browser = await launchBrowser(t);
    const email = 'victim+sktest@example.com';
    const victim = await browser.newContext();
    const page = await victim.newPage();
    await reachConsent(page, site.url(), email);
    const right = await fieldsOf(page);
    assert.ok(right.fields.some(([name]) => name === 'csrf'));
    const thief = await (await browser.newContext()).newPage();
    await reachConsent(thief, site.url(), 'thief+sktest@example.com');
    const stolen = { action: right.action, fields: (await fieldsOf(thief)).fields };
    pages.set('/right', selfPosting(right));
    pages.set('/stolen', selfPosting(stolen));
    for (const path of ['/right', '/stolen'])
      pages.set(
        `/frame${path}`,
        `<iframe sandbox="allow-scripts allow-forms" src="${path}"></iframe>`,
      );
    const tab = await victim.newPage();
    for (const path of ['/right', '/stolen'])
      assert.equal(await statusOfPost(tab, `${foreign.sameSite}${path}`, right.action), 403, path);
    for (const [origin, path] of [
      [foreign.sameSite, '/frame/right'],
      [foreign.sameSite, '/frame/stolen'],
      [foreign.crossSite, '/right'],
      [foreign.crossSite, '/stolen'],
      [foreign.crossSite, '/frame/right'],
    ] as const) {
      // Without the cookie it is another browser before it is a foreign form (AS-30).
      const status = await statusOfPost(tab, `${origin}${path}`, right.action);
      assert.ok(status === 400 || status === 403, `${origin}${path}: ${status}`);
    }
    assert.equal(await codesOf(email), 0);
    await page.bringToFront();
    const landed = page.waitForRequest((request) => request.url().startsWith(`${LOOPBACK}?code=`));
    await pressAllow(page);
    await landed;
    assert.equal(await codesOf(email), 1, 'the real page still works');
  },
);

test(
  'no page of ours can be framed, and no script of another origin reads one (AS-129, AS-137)',
  inChromium,
  async (t) => {
    const page = await (await launchBrowser(t)).newPage();
    await reachConsent(page, site.url(), 'framed+sktest@example.com');
    const targets = [
      page.url(),
      site.url(),
      `${gatewarden.url}/logout`,
      `${gatewarden.url}/dev/mailbox`,
      `${site.issuer}/oauth/introspect`,
    ];
    pages.set(
      '/frames',
      targets
        .map((target) => `<iframe src="${target.replaceAll('&', '&amp;')}"></iframe>`)
        .join(''),
    );
    await page.goto(`${foreign.sameSite}/frames`);
    await page.waitForLoadState('networkidle');
    for (const frame of page.frames().slice(1))
      assert.ok(!(await frame.content()).includes('data-step'), frame.url());
    const read = await page.evaluate(
      async (addresses) =>
        await Promise.all(
          addresses.flatMap((address) =>
            (['GET', 'POST'] as const).map((method) =>
              fetch(address, { method, credentials: 'include' }).then(
                () => `${method} ${address} was readable`,
                () => 'refused',
              ),
            ),
          ),
        ),
      targets,
    );
    assert.deepEqual([...new Set(read)], ['refused']);
  },
);

test(
  'markup in everything that strangers fill in does nothing: no base, form, refresh, script or request elsewhere (AS-129, AS-135, injection)',
  inChromium,
  async (t) => {
    const evil = `${foreign.crossSite}/evil`;
    const markup = `"'></title><base href="${evil}"><meta http-equiv="refresh" content="0;url=${evil}"><form action="${evil}"><input name=q></form><img src="${evil}"><script src="${evil}"></script>`;
    const client = await site.clientWith({
      client_name: markup.slice(0, 2000),
      client_uri: evil,
      logo_uri: evil,
      tos_uri: evil,
      policy_uri: evil,
      software_id: markup,
      redirect_uris: ['https://client.example/cb'],
    });
    const page = await (await launchBrowser(t)).newPage();
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('dialog', (dialog) => void dialog.dismiss());
    const params = { client_id: client, redirect_uri: 'https://client.example/cb' };
    const hostile = {
      ...params,
      state: markup,
      nonce: markup,
      login_hint: `${markup}@example.com`,
      ui_locales: markup,
      organization_id: markup,
      domain_hint: markup,
      acr_values: markup,
    };
    const check = async (where: string): Promise<void> => {
      await page.waitForTimeout(200);
      const found = await page.evaluate(() => ({
        base: document.querySelectorAll('base').length,
        refresh: document.querySelectorAll('meta[http-equiv=refresh]').length,
        origins: [...document.forms].map(
          (form) => new URL(form.getAttribute('action') ?? '', document.baseURI).origin,
        ),
        scripts: [...document.scripts].map((script) => new URL(script.src).origin),
        images: [...document.images].map((image) => new URL(image.src).origin),
      }));
      const own = (origins: readonly string[]): boolean =>
        origins.every((origin) => origin === gatewarden.url);
      assert.deepEqual([found.base, found.refresh], [0, 0], where);
      assert.ok(own([...found.origins, ...found.scripts, ...found.images]), where);
    };
    await page.goto(site.url(hostile));
    await check('sign-in');
    await page.click('a[href$="/sign-up"]');
    await page.fill('input[name=name]', markup.slice(0, 100));
    await page.fill('input[name=email]', 'injected@example.com');
    await page.click('form[data-step] button[type=submit]:not([name])');
    await page.waitForSelector('form[data-step=email-code]');
    await check('code');
    const [mail] = (await (
      await fetch(`${gatewarden.url}/dev/mailbox.json?to=injected@example.com`)
    ).json()) as { code: string }[];
    await page.fill('input[name=code]', mail?.code ?? '');
    await page.waitForSelector('form[data-step=consent]');
    await check('consent');
    await page.goto(`${gatewarden.url}/dev/mailbox`);
    await check('mailbox');
    for (const wrong of [
      { ...hostile, response_type: markup },
      { ...hostile, redirect_uri: `https://client.example/${markup}` },
      { ...hostile, client_id: markup },
      { ...hostile, scope: markup },
      { ...hostile, resource: markup },
    ]) {
      await page.goto(site.url(wrong));
      await check(JSON.stringify(wrong).slice(0, 80));
    }
    assert.deepEqual(
      requests.filter((url) => !url.startsWith(gatewarden.url)),
      [],
    );
    assert.ok(!foreign.visits.some(({ pathname }) => pathname === '/evil'));
  },
);

test(
  'two development servers on two ports of one machine keep their own sessions in one browser (AS-130)',
  inChromium,
  async (t) => {
    const second = await startMcpSite(t);
    const context = await (await launchBrowser(t)).newContext();
    const page = await context.newPage();
    await reachConsent(page, site.url(), 'both+sktest@example.com');
    await reachConsent(page, second.url(), 'both+sktest@example.com');
    const names = (await context.cookies()).map(({ name }) => name).sort();
    const ports = [gatewarden.url, second.gatewarden.url].map((url) => new URL(url).port);
    assert.deepEqual(
      names,
      ports.flatMap((port) => [`gatewarden-${port}-browser`, `gatewarden-${port}-session`]).sort(),
    );
    for (const one of [site, second]) {
      await page.goto(one.url());
      assert.equal(await page.locator('form[data-step=consent]').count(), 1, 'still signed in');
    }
    await page.goto(`${gatewarden.url}/logout`);
    await page.click('button[value=sign-out]');
    await page.goto(second.url());
    assert.equal(await page.locator('form[data-step=consent]').count(), 1, 'the other one is');
  },
);

test(
  'a second browser gets nothing from any address of a flow, and the first one is not disturbed (AS-30)',
  inChromium,
  async (t) => {
    const browser = await launchBrowser(t);
    const a = await (await browser.newContext()).newPage();
    const addresses = new Set<string>();
    a.on('framenavigated', (frame) => {
      if (/\/(login|oauth\/authorize)\//.test(frame.url())) addresses.add(frame.url());
    });
    await reachConsent(a, site.url(), 'first-browser+sktest@example.com');
    assert.ok(addresses.size >= 3, [...addresses].join(' '));
    const b = await (await browser.newContext()).newPage();
    await reachConsent(b, site.url(), 'second-browser+sktest@example.com');
    for (const address of addresses) {
      const response = await b.goto(address);
      assert.equal(response?.status(), 400, address);
      const text = (await b.textContent('body')) ?? '';
      assert.ok(!/first-browser|Calendar|Test client/.test(text), address);
    }
    const stolen = await fieldsOf(a);
    await b.goto(site.url());
    const answered = b.waitForResponse((response) => response.url() === stolen.action);
    await b.evaluate(({ action, fields }) => {
      const form = document.createElement('form');
      form.method = 'post';
      form.action = action;
      for (const [name, value] of [...fields, ['decision', 'allow'], ['confirm', 'yes']]) {
        const input = document.createElement('input');
        Object.assign(input, { name, value });
        form.append(input);
      }
      document.body.append(form);
      form.submit();
    }, stolen);
    assert.equal((await answered).status(), 400);
    assert.equal(await codesOf('first-browser+sktest@example.com'), 0);
    await a.bringToFront();
    const landed = a.waitForRequest((request) => request.url().startsWith(`${LOOPBACK}?code=`));
    await pressAllow(a);
    await landed;
  },
);
