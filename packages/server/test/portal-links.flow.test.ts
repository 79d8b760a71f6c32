import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { cleanUpPortalLinks } from '../src/portal/clean-up.job.ts';
import { keyHashOf } from '../src/portal/portal-links.ts';
import { startPortalSession } from '../src/portal/portal-sessions.ts';
import { asPage } from '../src/testing/cookie-browser.ts';
import {
  type CookieBrowser,
  cookieBrowser,
  sql,
  startTestGatewarden,
  type TestGatewarden,
} from '../src/testing.ts';
import { elsewhere, type Headers, operator, organization } from './every-caller.ts';
import { managementToken } from './management-api.ts';

let gatewarden: TestGatewarden;
let client: Headers;
let org: string;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never, { engine: 'postgres' });
  client = { authorization: `Bearer ${await managementToken(gatewarden)}` };
  org = await organization(gatewarden, 'Acme <b>& Co');
});

type Link = { id: string; location?: string; expire_time: string };
type Body = {
  link?: Link;
  links?: Link[];
  code?: number;
  details?: { error_code: string }[];
};

async function call(verb: string, path: string, headers: Headers = client): Promise<Body> {
  const response = await fetch(`${gatewarden.origin}/api/v1${path}`, { method: verb, headers });
  const body = (await response.json()) as Body;
  return response.ok ? body : { ...body, code: body.code ?? -1 };
}

async function generate(query = '', id = org): Promise<Link & { location: string }> {
  const { link } = await call('PUT', `/organizations/${id}/portal_links${query}`);
  assert.ok(link?.location);
  return { ...link, location: link.location };
}

async function open(browser: CookieBrowser, location: string) {
  return asPage(await browser.open(location));
}

async function start(browser: CookieBrowser, location: string) {
  return asPage(await browser.submit(await open(browser, location), { action: 'start' }));
}

test('a portal link has an id, an address for one minute and the features that were asked for (SSO-54)', async () => {
  const link = await generate('?features=sso&features=dir_sync&features=sso');
  assert.match(link.id, /^lnk_[0-9]{18,19}$/);
  const url = new URL(link.location);
  assert.equal(url.origin, gatewarden.url);
  assert.match(url.pathname, /^\/magicLink\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.deepEqual(url.searchParams.getAll('features'), ['sso', 'dir_sync']);
  const left = Date.parse(link.expire_time) - gatewarden.clock.now().getTime();
  assert.ok(left > 50_000 && left <= 60_000, `${left} ms`);
  assert.equal(new URL((await generate()).location).search, '');

  const [event] = await gatewarden.database.rows<{ data: object; organization_id: string }>(
    sql`select data, organization_id from events where type = 'portal_link.created' order by id limit 1`,
  );
  assert.deepEqual(event, {
    data: { id: link.id, features: ['sso', 'dir_sync'] },
    organization_id: org,
  });
  const stored = await gatewarden.database.rows(sql`select * from portal_links`);
  const key = url.pathname.split('/').at(-1) ?? '';
  assert.ok(!JSON.stringify(stored).includes(key), 'only a hash is stored');
});

test('links of unknown, malformed and foreign organizations, and for features that are off or do not exist, are refused (SSO-54)', async () => {
  const foreign = await elsewhere(gatewarden);
  const put = async (id: string, query = '') =>
    (await call('PUT', `/organizations/${id}/portal_links${query}`)).code;
  assert.equal(await put('org_100000000000000001'), 5);
  assert.equal(await put(foreign.organization), 5);
  assert.equal(await put('org_x'), 3);
  assert.equal(await put(org, '?features=everything'), 3);
  const plain = await organization(gatewarden, 'Plain');
  await gatewarden.database.rows(sql`update organizations set settings = '{}' where id = ${plain}`);
  const off = await call('PUT', `/organizations/${plain}/portal_links?features=sso`);
  assert.deepEqual([off.code, off.details?.[0]?.error_code], [9, 'FEATURE_DISABLED']);
  assert.equal(await put(plain), undefined, 'without features it is for whatever is on by then');
  const links = await gatewarden.database.rows(
    sql`select id from portal_links where organization_id = ${plain}`,
  );
  assert.equal(links.length, 1, 'a refusal leaves nothing');
});

test('opening a link consumes nothing, however often and by whomever; the button opens the portal once, for six hours (SSO-55)', async () => {
  const { location } = await generate('?features=sso');
  const scanner = cookieBrowser(gatewarden.url);
  assert.equal((await scanner.fetch(location, { method: 'HEAD' })).status, 200);
  const previewed = { 'sec-fetch-dest': 'document', 'sec-fetch-mode': 'navigate' };
  assert.equal((await scanner.fetch(location, { headers: previewed })).status, 200);
  const browser = cookieBrowser(gatewarden.url);
  const page = await open(browser, location);
  assert.equal(page.step, 'portal-start');
  assert.match(page.html, /Acme &lt;b&gt;&amp; Co/);
  assert.ok(!page.html.includes('<b>&'));
  assert.equal(page.headers.get('cache-control'), 'no-store');
  assert.match(page.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);

  const set = await browser.fetch(new URL(page.form?.action ?? '', gatewarden.url).href, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      origin: gatewarden.url,
      'sec-fetch-site': 'same-origin',
    },
    body: new URLSearchParams(page.form?.hidden ?? {}).toString(),
  });
  assert.deepEqual([set.status, set.headers.get('location')], [303, '/portal']);
  const cookie = set.headers.getSetCookie().find((line) => line.includes('portal='));
  assert.match(cookie ?? '', /; Path=\/; HttpOnly; SameSite=Lax; Max-Age=21600$/);
  const inside = await open(browser, '/portal');
  assert.match(inside.html, /Set up single sign-on for <bdi>Acme/);
  assert.doesNotMatch(inside.html, /directory/);

  for (const late of [cookieBrowser(gatewarden.url), browser]) {
    const again = await open(late, location);
    assert.deepEqual([again.status, again.error], [400, 'LINK_EXPIRED']);
  }
  gatewarden.clock.advance({ minutes: 359 });
  assert.equal((await open(browser, '/portal')).status, 200);
  gatewarden.clock.advance({ minutes: 1 });
  assert.equal((await open(browser, '/portal')).error, 'LINK_EXPIRED');
});

test('the address’s own word on features widens nothing, and a portal shows what is on now (SSO-53)', async () => {
  const { location } = await generate('?features=dir_sync');
  const browser = cookieBrowser(gatewarden.url);
  const wider = location.replace('features=dir_sync', 'features=sso&features=dir_sync');
  const page = await start(browser, wider);
  assert.match(page.html, /Set up directory for/);
  assert.doesNotMatch(page.html, /single sign-on/);
  await gatewarden.database.rows(
    sql`update organizations set settings = '{"features": {"sso": true}}' where id = ${org}`,
  );
  assert.match((await open(browser, '/portal')).html, /Nothing to set up/);
  await gatewarden.database.rows(sql`
    update organizations set settings = '{"features": {"sso": true, "dir_sync": true, "domain_verification": true}}' where id = ${org}`);
  const every = cookieBrowser(gatewarden.url);
  const all = await start(every, (await generate()).location);
  assert.match(all.html, /Set up directory, domains, and single sign-on for/);
});

test('a link that is too old, unknown or malformed, and a form of another origin or browser, open nothing (SSO-55)', async () => {
  const { location } = await generate();
  const browser = cookieBrowser(gatewarden.url);
  const page = await open(browser, location);
  const stolen = cookieBrowser(gatewarden.url);
  assert.equal(
    asPage(await stolen.submit(page, {})).error,
    'invalid_state',
    'no cookie of a browser',
  );
  await open(stolen, location);
  assert.equal(asPage(await stolen.submit(page, {})).status, 403, "another browser's form");
  for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }])
    assert.equal(asPage(await browser.submit(page, {}, { headers })).status, 403);
  assert.equal(asPage(await browser.submit(page, {}, { hidden: {} })).status, 403, 'no token');
  gatewarden.clock.advance({ seconds: 61 });
  assert.equal((await open(browser, location)).error, 'LINK_EXPIRED');
  assert.equal(
    asPage(await browser.submit(page, {})).error,
    'LINK_EXPIRED',
    'opened in time, pressed too late',
  );
  for (const path of [
    '/magicLink/00000000-0000-4000-8000-000000000000',
    '/magicLink/x',
    '/magicLink/%00',
    '/portal',
  ])
    assert.equal((await open(cookieBrowser(gatewarden.url), path)).error, 'LINK_EXPIRED', path);
});

test('of many who press the button at once one gets in', async () => {
  const ctx = gatewarden.context();
  for (let round = 0; round < 3; round += 1) {
    const { location, id } = await generate();
    const keyHash = keyHashOf(new URL(location).pathname.split('/').at(-1));
    assert.ok(keyHash);
    const opened = await Promise.all(
      Array.from({ length: 8 }, () => startPortalSession(ctx, keyHash)),
    );
    assert.equal(opened.filter((one) => one !== undefined).length, 1);
    const events = await gatewarden.database.rows(
      sql`select id from events where type = 'portal_link.opened' and data ->> 'id' = ${id}`,
    );
    assert.equal(events.length, 1);
  }
});

test('links are listed without their address, and taken back one by one or all, with the portals they opened (SSO-56)', async () => {
  const { headers: owner } = await operator(gatewarden, 'owner');
  const own = await organization(gatewarden, 'Revoked');
  const other = await organization(gatewarden, 'Untouched');
  const path = `/organizations/${own}/portal_links`;
  const browser = cookieBrowser(gatewarden.url);
  const first = await generate('', own);
  const second = await generate('', own);
  const third = await generate('', own);
  const foreign = await generate('', other);
  assert.equal((await start(browser, first.location)).status, 200);
  assert.equal((await call('GET', path)).code, 7, 'for operators');
  const { links } = await call('GET', path, owner);
  assert.deepEqual(
    links?.map(({ id }) => id),
    [third.id, second.id],
    'newest first, opened ones no more',
  );
  assert.ok(links?.every(({ location }) => location === undefined || location === ''));

  assert.equal((await call('DELETE', `${path}/${foreign.id}`)).code, 5, "another organization's");
  assert.equal((await call('DELETE', `${path}/lnk_100000000000000001`)).code, 5);
  assert.equal((await call('DELETE', `${path}/lnk_x`)).code, 3);
  assert.equal((await call('DELETE', `${path}/${second.id}`)).code, undefined);
  assert.equal((await call('DELETE', `${path}/${second.id}`)).code, 5, 'twice');
  assert.equal((await open(browser, second.location)).error, 'LINK_EXPIRED');
  assert.equal((await open(browser, '/portal')).status, 200);
  assert.equal((await call('DELETE', `${path}/${first.id}`)).code, undefined);
  assert.equal((await open(browser, '/portal')).error, 'LINK_EXPIRED', 'its portal is closed');

  assert.equal((await call('DELETE', path)).code, 7, 'for operators');
  assert.equal((await call('DELETE', path, owner)).code, undefined);
  assert.equal(
    (await call('DELETE', '/organizations/org_100000000000000001/portal_links', owner)).code,
    5,
  );
  assert.equal((await open(browser, third.location)).error, 'LINK_EXPIRED');
  assert.equal((await open(browser, foreign.location)).status, 200);
  assert.equal(
    (await call('DELETE', `/organizations/${own}`)).code,
    undefined,
    'goes with all that is its own',
  );
});

test('what is over is removed, and an open portal keeps its link', async () => {
  const { id } = await generate();
  const opened = await generate();
  await start(cookieBrowser(gatewarden.url), opened.location);
  const left = async () =>
    (await gatewarden.database.rows<{ id: string }>(sql`select id from portal_links`)).map(
      (row) => row.id,
    );
  await cleanUpPortalLinks(gatewarden.app);
  assert.ok((await left()).includes(id));
  gatewarden.clock.advance({ minutes: 2 });
  await cleanUpPortalLinks(gatewarden.app);
  assert.ok(!(await left()).includes(id));
  assert.ok((await left()).includes(opened.id));
  gatewarden.clock.advance({ minutes: 360 });
  await cleanUpPortalLinks(gatewarden.app);
  assert.deepEqual(await left(), []);
});
