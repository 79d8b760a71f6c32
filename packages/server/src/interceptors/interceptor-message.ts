import {
  AuthConfigType,
  FailurePolicy,
  InterceptorType,
  TriggerPoint,
} from '@gatewarden/contract/scalekit/v1/interceptors/interceptors_pb';
import { timestampOf } from '../http/timestamps.ts';
import type { Interceptor, InterceptorAuth } from './interceptors.store.ts';

/** How a secret is shown that was given once: nobody can send this for a new one by accident. */
export const HIDDEN = '********';

/** An interceptor as the contract has it; secrets that somebody gave are hidden. */
export function interceptorMessage(interceptor: Interceptor) {
  const { id, displayName, description, enabled, secretId, secretSuffix } = interceptor;
  return {
    id,
    displayName,
    description,
    triggerPoint: triggerPointOf(interceptor.triggerPoint),
    interceptorType: InterceptorType.AUTH,
    apiUrl: interceptor.url,
    timeoutMs: BigInt(interceptor.timeoutMs),
    failurePolicy: interceptor.failOpen ? FailurePolicy.FAIL_OPEN : FailurePolicy.FAIL_CLOSED,
    secretId,
    secretSuffix,
    enabled,
    createdAt: timestampOf(interceptor.createdAt),
    updatedAt: timestampOf(interceptor.updatedAt),
    ...(interceptor.auth && { config: { authConfig: authMessage(interceptor.auth) } }),
    ...(interceptor.lastExecutedAt && { lastExecutedAt: timestampOf(interceptor.lastExecutedAt) }),
  };
}

function authMessage(auth: InterceptorAuth) {
  if (auth.kind === 'api-key')
    return {
      authConfigType: AuthConfigType.API_KEY,
      authConfig: {
        case: 'apiKey' as const,
        value: { apiKey: HIDDEN, headerName: auth.headerName },
      },
    };
  const { tokenUrl, clientId, scope } = auth;
  return {
    authConfigType: AuthConfigType.OAUTH2,
    authConfig: {
      case: 'oauth2' as const,
      value: { tokenUrl, clientId, clientSecret: HIDDEN, scope },
    },
  };
}

function triggerPointOf(name: string): TriggerPoint {
  const found = Object.entries(TriggerPoint).find(([known]) => known === name)?.[1];
  if (found === undefined) throw new Error(`"${name}" is no trigger point`);
  return found;
}

/** Its name as it is stored and sent. */
export function triggerPointName(value: TriggerPoint): string {
  const found = Object.entries(TriggerPoint).find(([, known]) => known === value)?.[0];
  if (found === undefined) throw new Error(`${value} is no trigger point`);
  return found;
}
