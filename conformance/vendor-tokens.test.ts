import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engines } from '@gatewarden/server/testing';
import {
  ScalekitNotFoundException,
  ScalekitServerException,
  ScalekitValidateTokenFailureException,
} from '@scalekit-sdk/node';
import { vendorSite } from './vendor-site.ts';

const NOBODY = 'org_999999999999999';

for (const engine of engines)
  test(`the vendor's unchanged SDK makes API keys, checks, changes, lists and ends them (contract: ApiTokenService), ${engine}`, async (t) => {
    const { sdk } = await vendorSite(t, engine);
    const { token } = sdk;
    const dead = async (key: string): Promise<void> =>
      await assert.rejects(token.validateToken(key), ScalekitValidateTokenFailureException);
    const { organization } = await sdk.organization.createOrganization('Acme', {
      externalId: 'acme-1',
    });
    const org = organization?.id ?? '';
    const { user } = await sdk.user.createUserAndMembership(org, {
      email: 'ann@acme.example',
      externalId: 'ann-1',
      sendInvitationEmail: false,
    });
    const ann = user?.id ?? '';

    const made = await token.createToken(org, {
      userId: ann,
      description: 'CI',
      customClaims: { env: 'production', scope: 'read' },
    });
    assert.match(made.tokenId, /^apit_[0-9]{15,19}$/);
    assert.equal(made.tokenInfo?.tokenSuffix, made.token.slice(-4));
    await assert.rejects(token.createToken(NOBODY), ScalekitNotFoundException);
    await assert.rejects(
      token.createToken(org, { userId: 'usr_999999999999999999' }),
      ScalekitNotFoundException,
    );
    for (const name of [made.token, made.tokenId]) {
      const { tokenInfo } = await token.validateToken(name);
      assert.deepEqual(
        [
          tokenInfo?.organizationId,
          tokenInfo?.organizationExternalId,
          tokenInfo?.userId,
          tokenInfo?.userExternalId,
          tokenInfo?.email,
          tokenInfo?.roles,
          tokenInfo?.customClaims,
          tokenInfo?.description,
        ],
        [
          org,
          'acme-1',
          ann,
          'ann-1',
          'ann@acme.example',
          ['member'],
          { env: 'production', scope: 'read' },
          'CI',
        ],
      );
    }
    for (const wrong of ['nonsense', `${made.token}x`, 'apit_999999999999999']) await dead(wrong);

    const customClaims = { env: 'staging', team: 'core' };
    const changed = await token.updateToken(made.token, { customClaims });
    assert.deepEqual(changed.tokenInfo?.customClaims, customClaims, 'this version sends them all');
    const cleared = await token.updateToken(made.tokenId, { description: '', customClaims: {} });
    assert.deepEqual(
      [cleared.tokenInfo?.description, cleared.tokenInfo?.customClaims],
      [undefined, customClaims],
    );
    await assert.rejects(
      token.updateToken('apit_999999999999999', { description: 'x' }),
      ScalekitNotFoundException,
    );

    const own = await token.createToken(org);
    assert.equal(own.tokenInfo?.userId, undefined);
    for (let index = 0; index < 3; index += 1) await token.createToken(org);
    const first = await token.listTokens(org, { pageSize: 3 });
    assert.deepEqual([first.tokens.length, first.totalCount], [3, 5]);
    const rest = await token.listTokens(org, { pageSize: 3, pageToken: first.nextPageToken });
    assert.deepEqual([rest.tokens.length, rest.nextPageToken], [2, '']);
    assert.notEqual(rest.tokens[0]?.tokenId, first.tokens[0]?.tokenId);
    assert.equal((await token.listTokens(org, { userId: ann })).totalCount, 1);
    await assert.rejects(token.listTokens(NOBODY), ScalekitNotFoundException);
    await assert.rejects(token.listTokens(org, { pageToken: 'x' }), ScalekitServerException);

    await token.invalidateToken(own.token);
    await token.invalidateToken(own.tokenId);
    await dead(own.token);
    await assert.rejects(token.invalidateToken('nonsense'), ScalekitNotFoundException);
    assert.equal((await token.listTokens(org)).totalCount, 4);
    await sdk.user.deleteMembership(org, ann);
    await dead(made.token);
    await dead(made.tokenId);
  });
