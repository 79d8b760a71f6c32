import type { Connection, ConnectionStatus } from './connection.ts';

/** Providers of social sign-in whose addresses we know. */
const KNOWN_ADDRESSES: ReadonlySet<string> = new Set([
  ...['GOOGLE', 'GITHUB', 'GITLAB', 'LINKEDIN', 'SALESFORCE', 'MICROSOFT'],
]);

type Configured = Pick<
  Connection,
  'type' | 'provider' | 'settings' | 'configurationType' | 'hasClientSecret'
>;

/** How far the configuration has come; only a complete one can be enabled. */
export function statusOf(connection: Configured): ConnectionStatus {
  if (isComplete(connection)) return 'COMPLETED';
  const begun = Object.keys(connection.settings).length > 0 || connection.hasClientSecret;
  return begun ? 'IN_PROGRESS' : 'DRAFT';
}

function isComplete(connection: Configured): boolean {
  const { type, provider, settings: s, hasClientSecret } = connection;
  switch (type) {
    case 'OIDC': {
      const byHand = isGiven(s.issuer, s.authorizeUri, s.tokenUri, s.jwksUri);
      const found = connection.configurationType !== 'MANUAL' && isDiscoverable(s);
      // A client without a secret is one that proves itself by PKCE alone (RFC 7636).
      const proof = hasClientSecret || s.pkceEnabled === true;
      return (byHand || found) && isGiven(s.clientId) && proof;
    }
    case 'SAML':
      return isGiven(s.idpEntityId, s.idpSsoUrl) && (s.idpCertificates ?? []).length > 0;
    case 'OAUTH':
      return (
        isGiven(s.clientId) &&
        hasClientSecret &&
        (KNOWN_ADDRESSES.has(provider) || isGiven(s.authorizeUri, s.tokenUri, s.userInfoUri))
      );
    case 'PASSWORDLESS':
      return s.type !== undefined;
    case 'WEBAUTHN':
      return s.webauthn?.['rp'] !== undefined;
    case 'TRUSTED_IDP':
      return isGiven(s.authorizeUri) || isDiscoverable(s) || isGiven(s.issuer, s.jwksUri);
  }
}

/** Everything else is found from here (OpenID Connect Discovery 1.0 §4). */
function isDiscoverable({ issuer, discoveryEndpoint }: Configured['settings']): boolean {
  return isGiven(discoveryEndpoint) || isGiven(issuer);
}

function isGiven(...values: readonly (string | undefined)[]): boolean {
  return values.every((value) => value !== undefined);
}
