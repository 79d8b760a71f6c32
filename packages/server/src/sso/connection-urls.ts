import type { Ctx } from '../runtime/context.ts';
import type { Connection } from './connection.ts';

/** Addresses of ours that an identity provider is told, one set for each connection. */
export type SamlUrls = {
  /** Also where our metadata is. */
  readonly entityId: string;
  readonly assertionUrl: string;
  readonly sloUrl: string;
};
export type OidcUrls = {
  readonly redirectUri: string;
  readonly postLogoutRedirectUri: string;
  readonly backchannelLogoutUri: string;
};

type Named = Pick<Connection, 'id'>;

export function samlUrls({ issuer }: Pick<Ctx, 'issuer'>, { id }: Named): SamlUrls {
  const entityId = `${issuer}/sso/v1/saml/${id}`;
  return { entityId, assertionUrl: `${entityId}/callback`, sloUrl: `${entityId}/slo/callback` };
}

export function oidcUrls({ issuer }: Pick<Ctx, 'issuer'>, { id }: Named): OidcUrls {
  const base = `${issuer}/sso/v1/oidc/${id}`;
  return {
    redirectUri: `${base}/callback`,
    postLogoutRedirectUri: `${base}/logout/callback`,
    backchannelLogoutUri: `${base}/backchannel-logout`,
  };
}

/** Where social sign-in comes back to. */
export function oauthRedirectUri({ issuer }: Pick<Ctx, 'issuer'>, { id }: Named): string {
  return `${issuer}/sso/v1/oauth/${id}/callback`;
}

/** Where a customer's own login page sends people back to. */
export function partnerCallback({ issuer }: Pick<Ctx, 'issuer'>, { id }: Named): string {
  return `${issuer}/sso/v1/connections/${id}/partner:callback`;
}
