import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { reencodedLogo } from './logo-image.ts';
import { fetchLogo, logoId, logoPath } from './logos.ts';
import { documentSite, testClients } from './test-clients.ts';
import { registrationSite } from './test-registration.ts';

const picture = (side: number) =>
  sharp({ create: { width: side, height: side, channels: 3, background: '#c04020' } });

test('PNG, JPEG, WebP and GIF come out as a small PNG of our own making (AS-81)', async () => {
  const files = [
    await picture(400)
      .png()
      .withMetadata({ exif: { IFD0: { Copyright: 'hidden text' } } })
      .toBuffer(),
    await picture(400).jpeg().toBuffer(),
    await picture(400).webp().toBuffer(),
    await picture(40).gif().toBuffer(),
  ];
  for (const file of files) {
    const image = await reencodedLogo(file);
    assert.ok(image);
    const seen = await sharp(image).metadata();
    assert.equal(seen.format, 'png');
    assert.ok((seen.width ?? 0) <= 192);
    assert.equal(Buffer.from(image).includes('hidden text'), false);
  }
});

test('SVG, other formats, polyglots, broken files and too many pixels are refused (AS-81, scripts in images, decompression bomb)', async () => {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>';
  const big = await sharp({
    create: { width: 2001, height: 2000, channels: 3, background: '#fff' },
  })
    .png()
    .toBuffer();
  const png = await picture(40).png().toBuffer();
  const refused: [string, Uint8Array][] = [
    ['svg', Buffer.from(svg)],
    ['svg with xml head', Buffer.from(`<?xml version="1.0"?>${svg}`)],
    ['html', Buffer.from('<html>')],
    ['empty', new Uint8Array()],
    ['tiff', await picture(10).tiff().toBuffer()],
    ['avif', await picture(16).avif().toBuffer()],
    ['truncated', png.subarray(0, 60)],
    ['too many pixels', big],
    ['a PNG head before an svg', Buffer.concat([png.subarray(0, 8), Buffer.from(svg)])],
  ];
  for (const [what, file] of refused) assert.equal(await reencodedLogo(file), undefined, what);
});

test('a logo is fetched once, served from our origin as an image that can do nothing, without cookies (AS-81, AS-72)', async (t) => {
  const clients = await testClients();
  const { ctx } = clients;
  const remote = await documentSite(t);
  const site = await registrationSite(t, clients);
  const logoUri = remote.answer('/logo.png', {
    type: 'image/png',
    body: await picture(64).png().toBuffer(),
  });
  const client = { id: 'm2m_1', registration: 'dynamic', metadata: { logoUri } } as const;
  assert.equal(await logoPath(ctx, client), undefined, 'no page waits for it');
  const path = `/logos/${logoId(logoUri)}`;
  for (let tries = 0; tries < 50 && (await logoPath(ctx, client)) === undefined; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await logoPath(ctx, client), path);
  assert.equal(remote.requests.length, 1);

  const response = await fetch(`${site.origin}${path}`, {
    headers: { cookie: '__Host-session=abc' },
  });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'image/png');
  assert.match(response.headers.get('content-security-policy') ?? '', /sandbox/);
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(response.headers.get('set-cookie'), null);
  assert.equal((await sharp(Buffer.from(await response.arrayBuffer())).metadata()).format, 'png');
  assert.equal((await fetch(`${site.origin}/logos/${'a'.repeat(32)}`)).status, 404);
  assert.equal((await fetch(`${site.origin}/logos/..%2f..%2fetc`)).status, 404);
});

test('a logo that is too big, redirected, of another type or at an inner address is not fetched or kept (AS-72, AS-73, AS-81)', async (t) => {
  const { ctx } = await testClients();
  const remote = await documentSite(t);
  const png = await picture(64).png().toBuffer();
  const answers = {
    big: { type: 'image/png', body: Buffer.concat([png, Buffer.alloc(204_800)]) },
    svg: { type: 'image/svg+xml', body: '<svg xmlns="http://www.w3.org/2000/svg"/>' },
    disguised: { type: 'image/png', body: '<svg xmlns="http://www.w3.org/2000/svg"/>' },
    moved: { status: 302, location: '/logo.png', type: 'image/png', body: png },
    html: { type: 'text/html', body: png },
  };
  for (const [name, answer] of Object.entries(answers))
    assert.equal(await fetchLogo(ctx, remote.answer(`/${name}`, answer), false), false, name);
  assert.equal(
    await fetchLogo(ctx, remote.answer('/good', { type: 'image/png', body: png }), false),
    true,
  );
  for (const logoUri of [
    'https://10.0.0.1/logo.png',
    'http://client.example/logo.png',
    'https://client.example:8443/logo.png',
  ]) {
    assert.equal(
      await logoPath(ctx, { id: 'm2m_1', registration: 'dynamic', metadata: { logoUri } }),
      undefined,
    );
  }
});
