import type { InterceptorSecretService } from '@gatewarden/contract/gatewarden/v1/interceptor_secrets_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import { rotateInterceptorSecret } from './interceptors.ts';

const DAY_SECONDS = 86_400;

/** The secrets that sign what interceptors are sent. */
export const interceptorSecretsRpc: Slice<typeof InterceptorSecretService> = {
  async rotateInterceptorSecret(ctx, { interceptorId, overlap }) {
    checkId('interceptor_id', interceptorId, 'icp');
    const rotated = await rotateInterceptorSecret(ctx, {
      id: interceptorId,
      overlapSeconds: overlap ?? DAY_SECONDS,
    });
    if (!rotated)
      throw new ApiError('not_found', 'INTERCEPTOR_NOT_FOUND', 'there is no such interceptor');
    const { secretId, previousSecretEndsAt } = rotated.interceptor;
    return {
      interceptorId,
      secretId,
      secret: rotated.secret,
      ...(previousSecretEndsAt && { previousExpiresAt: timestampOf(previousSecretEndsAt) }),
    };
  },
};
