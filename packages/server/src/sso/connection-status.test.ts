import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection, ConnectionSettings, ConnectionType } from './connection.ts';
import { statusOf } from './connection-status.ts';

type More = Partial<Pick<Connection, 'provider' | 'configurationType' | 'hasClientSecret'>>;

const status = (type: ConnectionType, settings: ConnectionSettings, more: More = {}) =>
  statusOf({
    type,
    settings,
    provider: 'CUSTOM',
    configurationType: undefined,
    hasClientSecret: false,
    ...more,
  });

test('a connection is a draft until something is set, and complete when people can sign in by it (SSO-1)', () => {
  const types: readonly ConnectionType[] = [
    'OIDC',
    'SAML',
    'OAUTH',
    'PASSWORDLESS',
    'WEBAUTHN',
    'TRUSTED_IDP',
  ];
  for (const type of types) assert.equal(status(type, {}), 'DRAFT', type);
  assert.equal(status('OIDC', {}, { hasClientSecret: true }), 'IN_PROGRESS');
  const secret = { hasClientSecret: true };
  const issuer = 'https://idp.example';
  const byHand = { issuer, authorizeUri: 'https://a', tokenUri: 'https://t', jwksUri: 'https://j' };
  const complete: readonly (readonly [ConnectionType, ConnectionSettings, More])[] = [
    ['OIDC', { issuer, clientId: 'a' }, secret],
    ['OIDC', { discoveryEndpoint: issuer, clientId: 'a', pkceEnabled: true }, {}],
    ['OIDC', { ...byHand, clientId: 'a' }, { ...secret, configurationType: 'MANUAL' }],
    ['OAUTH', { clientId: 'a' }, { ...secret, provider: 'GITHUB' }],
    [
      'OAUTH',
      { clientId: 'a', authorizeUri: 'https://a', tokenUri: 'https://t', userInfoUri: 'https://u' },
      secret,
    ],
    ['PASSWORDLESS', { type: 'OTP' }, {}],
    ['WEBAUTHN', { webauthn: { rp: { ids: ['a.example'] } } }, {}],
    ['TRUSTED_IDP', { authorizeUri: 'https://app.example/login' }, {}],
    ['TRUSTED_IDP', { issuer, jwksUri: 'https://j' }, {}],
  ];
  for (const [type, settings, more] of complete)
    assert.equal(status(type, settings, more), 'COMPLETED', JSON.stringify([type, settings]));
  const begun: readonly (readonly [ConnectionType, ConnectionSettings, More])[] = [
    ['OIDC', { issuer, clientId: 'a' }, {}],
    ['OIDC', { issuer, clientId: 'a', pkceEnabled: false }, {}],
    ['OIDC', { issuer }, secret],
    ['OIDC', { clientId: 'a' }, secret],
    ['OIDC', { issuer, clientId: 'a' }, { ...secret, configurationType: 'MANUAL' }],
    ['SAML', { idpMetadataUrl: 'https://idp.example/metadata' }, {}],
    ['SAML', { idpEntityId: 'urn:a', idpSsoUrl: 'https://s' }, {}],
    ['SAML', { idpEntityId: 'urn:a', idpSsoUrl: 'https://s', idpCertificates: [] }, {}],
    ['OAUTH', { clientId: 'a' }, secret],
    ['OAUTH', { clientId: 'a' }, { provider: 'GITHUB' }],
    ['WEBAUTHN', { webauthn: {} }, {}],
    ['TRUSTED_IDP', { jwksUri: 'https://j' }, {}],
  ];
  for (const [type, settings, more] of begun)
    assert.equal(status(type, settings, more), 'IN_PROGRESS', JSON.stringify([type, settings]));
});
