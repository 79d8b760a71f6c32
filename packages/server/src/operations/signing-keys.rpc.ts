import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import type {
  SigningKeySchema,
  SigningKeyService,
} from '@gatewarden/contract/gatewarden/v1/signing_keys_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import { publicKeySet, rotateSigningKey } from '../keys/signing-keys.ts';
import type { Ctx } from '../runtime/context.ts';
import { listSigningKeys, type SigningKeyEntry, withdrawSigningKeys } from './withdraw-keys.ts';

/** Verifiers that know keys by heart ask for the set again within this time. */
const KNOWN_AFTER_MS = 3_600_000;

/** The keys that tokens are signed with. */
export const signingKeysRpc: Slice<typeof SigningKeyService> = {
  async listSigningKeys(ctx) {
    const keys = await listSigningKeys(ctx);
    const published = new Map((await publicKeySet(ctx)).keys.map((key) => [key.kid, key]));
    return { keys: keys.map((key) => messageOf(key, published.get(key.id))) };
  },

  async rotateSigningKey(ctx) {
    await checkNextIsKnown(ctx);
    const { from, to } = await rotateSigningKey(ctx);
    return { previousKeyId: from ?? '', currentKeyId: to };
  },

  async withdrawSigningKeys(ctx, { currentKeyId }) {
    checkId('current_key_id', currentKeyId, 'snk');
    const current = (await listSigningKeys(ctx)).find(({ state }) => state === 'current');
    if (current?.id !== currentKeyId)
      throw invalidField('current_key_id', 'is not the key that signs', 'value');
    const { withdrawn, current: next } = await withdrawSigningKeys(ctx);
    return { withdrawnKeyIds: [...withdrawn], currentKeyId: next };
  },
};

/**
 * A key that came with the last rotation is new to verifiers for a while; those of the first start are known as long as any.
 *
 * @throws {ApiError} failed_precondition
 */
async function checkNextIsKnown(ctx: Ctx): Promise<void> {
  const keys = await listSigningKeys(ctx);
  const current = keys.find(({ state }) => state === 'current');
  const next = keys.findLast(({ state }) => state === 'future');
  if (!current || !next || next.createdAt <= current.createdAt) return;
  const left = next.createdAt.getTime() + KNOWN_AFTER_MS - ctx.now().getTime();
  if (left > 0)
    throw new ApiError(
      'failed_precondition',
      'SIGNING_KEY_TOO_NEW',
      `the next key is not known to every verifier yet; try again in ${Math.ceil(left / 60_000)} minutes`,
    );
}

function messageOf(
  key: SigningKeyEntry,
  publicJwk: object | undefined,
): MessageInitShape<typeof SigningKeySchema> {
  const { promotedAt, retiredAt, publishedUntil } = key;
  return {
    id: key.id,
    algorithm: key.algorithm,
    state: key.state === 'future' ? 'next' : key.state,
    createTime: timestampOf(key.createdAt),
    ...(promotedAt && { promoteTime: timestampOf(promotedAt) }),
    ...(retiredAt && { retireTime: timestampOf(retiredAt) }),
    ...(publishedUntil && { publishedUntil: timestampOf(publishedUntil) }),
    ...(publicJwk && { publicJwk: { ...publicJwk } as JsonObject }), // members of a JWK are text
  };
}
