import type { WebAuthnService } from '@gatewarden/contract/scalekit/v1/auth/webauthn_pb';
import { ApiError } from '../http/api-error.ts';
import type { Caller } from '../http/callers.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import { deviceOf } from '../sessions/device.ts';
import { findPasskeySettings, listPasskeys, type Passkey } from './passkeys.store.ts';
import { deletePasskey, renamePasskey } from './passkeys.ts';
import { relatedOrigins, rpIdOf, userHandleOf } from './relying-party.ts';

/** Passkeys as records: what applications see of them, rename and delete (FSA-32). */
export const passkeysRpc: Slice<typeof WebAuthnService> = {
  async listCredentials(ctx, { userId }, { caller }) {
    const id = ownerOf(caller) ?? userId;
    if (id === '') throw invalidField('user_id', 'is missing', 'required');
    checkId('user_id', id, 'usr');
    const { environmentId } = ctx;
    const passkeys = await listPasskeys(ctx.db, { environmentId, userId: id });
    if (!passkeys) throw new ApiError('not_found', 'USER_NOT_FOUND', 'user not found');
    return {
      credentials: passkeys.map(passkeyMessage),
      allAcceptedCredentialsOptions: {
        rpId: rpIdOf(ctx),
        userId: userHandleOf(id),
        allAcceptedCredentialIds: passkeys.map(({ credentialId }) => encoded(credentialId)),
      },
    };
  },

  async updateCredential(ctx, { credentialId, displayName }, { caller }) {
    checkId('credential_id', credentialId, 'cred');
    checkText('', { display_name: displayName });
    const by = { id: credentialId, ownerId: ownerOf(caller), displayName };
    const renamed = await renamePasskey(ctx, by);
    if (!renamed) throw noSuchPasskey();
    return { credential: passkeyMessage(renamed) };
  },

  async deleteCredential(ctx, { credentialId }, { caller }) {
    checkId('credential_id', credentialId, 'cred');
    const deleted = await deletePasskey(ctx, { id: credentialId, ownerId: ownerOf(caller) });
    if (!deleted) throw noSuchPasskey();
    return {
      success: true,
      unknownCredentialOptions: {
        rpId: rpIdOf(ctx),
        credentialId: encoded(deleted.credentialId),
      },
    };
  },

  async getRelatedOrigins(ctx) {
    const settings = await findPasskeySettings(ctx.db, ctx.environmentId);
    const named: unknown = Reflect.get(Object(settings?.['rp']), 'origins');
    return { origins: relatedOrigins(Array.isArray(named) ? named : []) };
  },
};

/** People reach their own passkeys only. */
function ownerOf(caller: Caller): string | undefined {
  return caller.kind === 'session' ? caller.userId : undefined;
}

function noSuchPasskey(): ApiError {
  return new ApiError('not_found', 'CREDENTIAL_NOT_FOUND', 'credential not found');
}

/** As browsers take credential ids. */
function encoded(credentialId: Uint8Array): string {
  return Buffer.from(credentialId).toString('base64url');
}

function passkeyMessage(passkey: Passkey) {
  const { model, ...device } = deviceOf(passkey.userAgent);
  return {
    id: passkey.id,
    userId: passkey.userId,
    credentialId: new Uint8Array(passkey.credentialId),
    attestationType: passkey.attestationType,
    authenticator: {
      aaguid: passkey.aaguid ?? '',
      name: passkey.authenticatorName,
      attachment: passkey.attachment ?? '',
    },
    transports: [...passkey.transports],
    authenticatorFlags: {
      userPresent: passkey.userPresent,
      userVerified: passkey.userVerified,
      backupEligible: passkey.backupEligible,
      backupState: passkey.backedUp,
    },
    createdAt: timestampOf(passkey.createdAt),
    updatedAt: timestampOf(passkey.updatedAt),
    userAgent: { ...device, raw: passkey.userAgent, deviceModel: model },
    clientInfo: { ip: passkey.address },
    displayName: passkey.displayName,
  };
}
