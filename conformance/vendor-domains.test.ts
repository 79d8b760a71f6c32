import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engines } from '@gatewarden/server/testing';
import { ScalekitBadRequestException, ScalekitNotFoundException } from '@scalekit-sdk/node';
import {
  DomainType,
  VerificationMethod,
  VerificationStatus,
} from '@scalekit-sdk/node/lib/pkg/grpc/scalekit/v1/domains/domains_pb.js';
import { vendorSite } from './vendor-site.ts';

const NOTHING = 'dom_123456789012345678';
const NOBODY = 'org_123456789012345678';

for (const engine of engines)
  test(`the vendor's unchanged SDK adds, finds, lists and deletes domains (contract: DomainService), ${engine}`, async (t) => {
    const { sdk } = await vendorSite(t, engine);
    const { domain: api } = sdk;
    const notFound = async (call: Promise<unknown>): Promise<void> =>
      await assert.rejects(call, ScalekitNotFoundException);
    const refused = async (call: Promise<unknown>): Promise<void> =>
      await assert.rejects(call, ScalekitBadRequestException);
    const organizationOf = async (name: string): Promise<string> =>
      (await sdk.organization.createOrganization(name)).organization?.id ?? '';
    const acme = await organizationOf('Acme');
    const other = await organizationOf('Other');

    const { domain: made } = await api.createDomain(acme, 'Acme.example');

    const id = made?.id ?? '';
    assert.match(id, /^dom_[0-9]{15,19}$/);
    assert.deepEqual(
      [made?.domain, made?.organizationId, made?.domainType, made?.verificationStatus],
      ['acme.example', acme, DomainType.ORGANIZATION_DOMAIN, VerificationStatus.AUTO_VERIFIED],
    );
    assert.equal(made?.verificationMethod, VerificationMethod.ADMIN);
    assert.ok(made?.createTime && made.updateTime && made.environmentId.startsWith('env_'));
    assert.deepEqual((await api.getDomain(acme, id)).domain, made);

    const allowed = { domainType: 'ALLOWED_EMAIL_DOMAIN' };
    const { domain: suggested } = await api.createDomain(acme, 'acme.example', allowed);
    await api.createDomain(other, 'acme.example', { domainType: DomainType.ALLOWED_EMAIL_DOMAIN });
    const idsOf = async (options?: { domainType?: DomainType | string }) =>
      (await api.listDomains(acme, options)).domains.map((domain) => domain.id);
    assert.deepEqual(await idsOf(), [suggested?.id, id]);
    assert.deepEqual(await idsOf({ domainType: 'ORGANIZATION_DOMAIN' }), [id]);
    assert.deepEqual(await idsOf(allowed), [suggested?.id]);

    for (const name of ['invalid-domain-name', 'gmail.com', 'mailinator.com', 'co.uk', 'a.b'])
      await refused(api.createDomain(acme, name));
    await refused(api.createDomain(other, 'acme.example'));
    await refused(api.createDomain('invalid-org-id', 'next.example'));
    await notFound(api.createDomain(NOBODY, 'next.example'));
    await notFound(api.listDomains(NOBODY));
    await refused(api.listDomains('invalid-org-id'));
    await refused(api.getDomain(acme, 'non-existent-domain-id'));
    await notFound(api.getDomain(acme, NOTHING));
    await notFound(api.getDomain(other, id));
    await notFound(api.deleteDomain(other, id));

    await api.deleteDomain(acme, id);
    await notFound(api.getDomain(acme, id));
    await notFound(api.deleteDomain(acme, id));
    await api.createDomain(other, 'acme.example');
  });
