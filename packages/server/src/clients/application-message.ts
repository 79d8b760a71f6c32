import { timestampOf } from '../http/timestamps.ts';
import type { ApplicationType } from './application-uris.ts';
import type { Client } from './client.ts';
import { claimMessages, secretMessage } from './client-message.ts';
import type { PlainSecret } from './client-secrets.ts';
import type { ClientRecord } from './clients.store.ts';

/** The contract's types of applications, as rows have them. */
export const STORED_TYPES: Readonly<Record<Exclude<ApplicationType, 'ENV'>, string>> = {
  WEB_APP: 'web',
  SPA: 'spa',
  NTV: 'native',
};

/** What kind of client of the environment this is. */
export function typeOf({ kind, applicationType }: Client): ApplicationType {
  if (kind === 'environment') return 'ENV';
  if (applicationType === STORED_TYPES.SPA) return 'SPA';
  return applicationType === STORED_TYPES.NTV ? 'NTV' : 'WEB_APP';
}

/**
 * A client of the environment as the management API shows it.
 *
 * @param made its first secret, in the answer to its creation
 */
export function applicationMessage({ client, secrets }: ClientRecord, made?: PlainSecret) {
  const { settings, id } = client;
  const { accessTokenLifetime } = settings;
  return {
    id,
    keyId: id,
    createTime: timestampOf(client.createdAt),
    updateTime: timestampOf(client.updatedAt),
    secrets: secrets.map((secret) => ({
      ...secretMessage(secret),
      ...(made?.id === secret.id ? { plainSecret: made.plain } : {}),
    })),
    postLogoutRedirectUris: [...(settings.postLogoutRedirectUris ?? [])],
    backChannelLogoutUris: [...(settings.backChannelLogoutUris ?? [])],
    initiateLoginUri: settings.initiateLoginUri ?? '',
    postLoginUris: [...client.redirectUris],
    name: client.name,
    ...(accessTokenLifetime === undefined
      ? {}
      : { accessTokenExpiry: BigInt(accessTokenLifetime) }),
    scopes: [...client.scopes],
    customClaims: claimMessages(settings.customClaims ?? {}),
    disallowScalekitApiAccess: !client.managementApi,
    grantTypes: [...client.grantTypes],
    clientType: typeOf(client),
    enforcePkce: client.tokenEndpointAuthMethod === 'none' || settings.enforcePkce === true,
  };
}
