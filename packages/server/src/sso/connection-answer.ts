import type { Ctx } from '../runtime/context.ts';
import type { Connection } from './connection.ts';
import type { ConnectionEntry } from './connection-lists.store.ts';
import { settingsAnswer } from './connection-settings.ts';
import type { Domain } from './domains.store.ts';

type Answer = Readonly<Record<string, unknown>>;

/** A connection in the JSON of the contract, without any secret. */
export function connectionAnswer(
  ctx: Pick<Ctx, 'issuer' | 'environmentId'>,
  connection: Connection,
  domains: readonly Domain[] = [],
): Answer {
  const { createdAt, updatedAt, configurationType, organizationId, keyId } = connection;
  return {
    id: connection.id,
    provider: connection.provider,
    providerKey: connection.providerKey,
    type: connection.type,
    status: connection.status,
    enabled: connection.enabled,
    debugEnabled: connection.debugEnabled,
    uiButtonTitle: connection.uiButtonTitle,
    attributeMapping: connection.attributeMapping,
    createTime: createdAt.toISOString(),
    updateTime: updatedAt.toISOString(),
    domains: domains.map((domain) => domainAnswer(ctx, domain)),
    ...(organizationId !== undefined && { organizationId }),
    ...(keyId !== undefined && { keyId }),
    ...(configurationType !== undefined && { configurationType }),
    ...settingsAnswer(ctx, connection),
  };
}

function domainAnswer(ctx: Pick<Ctx, 'environmentId'>, domain: Domain): Answer {
  return {
    id: domain.id,
    domain: domain.domain,
    environmentId: ctx.environmentId,
    organizationId: domain.organizationId,
    domainType: domain.domainType,
    verificationMethod: domain.verificationMethod,
    verificationStatus: domain.verificationStatus,
    createTime: domain.createdAt.toISOString(),
    updateTime: domain.updatedAt.toISOString(),
  };
}

/** A connection of a list in the JSON of the contract. */
export function entryAnswer(entry: ConnectionEntry): Answer {
  const { createdAt, organizationId, organizationName, keyId, ...members } = entry;
  return {
    ...members,
    createdAt: createdAt.toISOString(),
    organizationId: organizationId ?? '',
    organizationName: organizationName ?? '',
    keyId: keyId ?? '',
  };
}
