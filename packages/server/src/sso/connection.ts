/** How a person is recognized by way of a connection. */
export type ConnectionType =
  | 'OIDC'
  | 'SAML'
  | 'OAUTH'
  | 'PASSWORDLESS'
  | 'WEBAUTHN'
  /** Somebody else has signed people in: an application's own login page, or an identity provider whose word counts. */
  | 'TRUSTED_IDP';

/** Types that every organization may have a connection of; the others are the environment's. */
export const ORGANIZATION_TYPES: ReadonlySet<string> = new Set(['OIDC', 'SAML']);

export type ConnectionStatus = 'DRAFT' | 'IN_PROGRESS' | 'COMPLETED';
export type ConfigurationType = 'DISCOVERY' | 'MANUAL';

/** A certificate that an identity provider signs with. */
export type IdpCertificate = {
  /** cert_ and digits. */
  readonly id: string;
  /** PEM. */
  readonly certificate: string;
  readonly issuer: string;
  /** ISO 8601, as in events. */
  readonly createTime: string;
  readonly expiryTime: string;
};

/**
 * What connections are made of, by the names of the contract. Which members a type has is in connection-settings.ts; absent
 * ones were never set, or taken away. Secrets are elsewhere.
 */
export type ConnectionSettings = {
  readonly issuer?: string;
  readonly discoveryEndpoint?: string;
  readonly authorizeUri?: string;
  readonly tokenUri?: string;
  readonly userInfoUri?: string;
  readonly jwksUri?: string;
  readonly clientId?: string;
  readonly scopes?: readonly string[];
  readonly tokenAuthType?: 'URL_PARAMS' | 'BASIC_AUTH';
  readonly pkceEnabled?: boolean;
  readonly idpLogoutRequired?: boolean;
  readonly syncUserProfileOnLogin?: boolean;
  readonly jitProvisioningWithSsoEnabled?: boolean;
  readonly prompt?: string;
  readonly accessType?: string;
  readonly customScopeName?: string;
  readonly tokenAccessType?: string;
  readonly tenantId?: string;
  readonly idpMetadataUrl?: string;
  readonly idpEntityId?: string;
  readonly idpSsoUrl?: string;
  readonly idpSloUrl?: string;
  readonly idpCertificates?: readonly IdpCertificate[];
  readonly uiButtonTitle?: string;
  readonly idpNameIdFormat?: 'UNSPECIFIED' | 'EMAIL' | 'TRANSIENT' | 'PERSISTENT';
  readonly idpSsoRequestBinding?: 'HTTP_POST' | 'HTTP_REDIRECT';
  readonly idpSloRequestBinding?: 'HTTP_POST' | 'HTTP_REDIRECT';
  readonly samlSigningOption?:
    | 'SAML_ONLY_RESPONSE_SIGNING'
    | 'SAML_ONLY_ASSERTION_SIGNING'
    | 'SAML_RESPONSE_ASSERTION_SIGNING'
    | 'SAML_RESPONSE_OR_ASSERTION_SIGNING';
  readonly forceAuthn?: boolean;
  readonly defaultRedirectUri?: string;
  readonly assertionEncrypted?: boolean;
  readonly wantRequestSigned?: boolean;
  readonly idpSloRequired?: boolean;
  /** Instead of our own, for identity providers that were set up for another server. */
  readonly spEntityId?: string;
  readonly type?: 'LINK' | 'OTP' | 'LINK_OTP';
  readonly frequency?: number;
  readonly validity?: number;
  readonly enforceSameBrowserOrigin?: boolean;
  readonly codeChallengeLength?: number;
  readonly codeChallengeType?: 'NUMERIC' | 'ALPHANUMERIC';
  readonly regeneratePasswordlessCredentialsOnResend?: boolean;
  /** As the contract has it; a change replaces the whole. */
  readonly webauthn?: Readonly<Record<string, unknown>>;
};

/** A way to sign in, of one organization or of the environment. */
export type Connection = {
  readonly id: string;
  /** Absent: the environment's. */
  readonly organizationId: string | undefined;
  readonly type: ConnectionType;
  readonly provider: string;
  readonly providerKey: string;
  readonly keyId: string | undefined;
  readonly enabled: boolean;
  readonly status: ConnectionStatus;
  /** The identity provider may be reached over http. */
  readonly debugEnabled: boolean;
  readonly uiButtonTitle: string;
  readonly configurationType: ConfigurationType | undefined;
  /** Our name of a member to the identity provider's. */
  readonly attributeMapping: Readonly<Record<string, string>>;
  readonly settings: ConnectionSettings;
  readonly hasClientSecret: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};
