import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engines } from '@gatewarden/server/testing';
import { ScalekitBadRequestException, ScalekitNotFoundException } from '@scalekit-sdk/node';
import { vendorSite } from './vendor-site.ts';

for (const engine of engines)
  test(`the vendor's unchanged SDK makes links to the administration portal, which open once (contract: OrganizationService), ${engine}`, async (t) => {
    const { sdk, gatewarden } = await vendorSite(t, engine);
    const { organization } = await sdk.organization.createOrganization('Acme');
    const id = organization?.id ?? '';

    const link = await sdk.organization.generatePortalLink(id);

    assert.match(link.id, /^lnk_[0-9]{15,19}$/);
    assert.ok(link.location.startsWith(`${gatewarden.url}/magicLink/`), link.location);
    const left = Number(link.expireTime?.seconds ?? 0n) - gatewarden.clock.now().getTime() / 1000;
    assert.ok(left > 0 && left <= 60, `${left} seconds`);
    const page = await fetch(link.location);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /data-step="portal-start"/);
    const other = await sdk.organization.generatePortalLink(id);
    assert.notEqual(other.location, link.location);

    await assert.rejects(
      sdk.organization.generatePortalLink('org_100000000000000001'),
      ScalekitNotFoundException,
    );
    await assert.rejects(
      sdk.organization.generatePortalLink('not-an-id'),
      ScalekitBadRequestException,
    );
    gatewarden.clock.advance({ seconds: 61 });
    assert.equal((await fetch(link.location)).status, 400, 'a minute later');
  });
