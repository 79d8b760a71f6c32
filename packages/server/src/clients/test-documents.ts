import assert from 'node:assert/strict';
import { OAuthError } from '../oauth/oauth-error.ts';
import type { Ctx } from '../runtime/context.ts';
import { authenticateClient } from './client-authentication.ts';
import type { ClientResolution } from './client-resolution.ts';
import { at, post } from './test-authentication.ts';

/** For the tests of metadata documents. */

export const AUTHORIZE = { purpose: 'authorize' } as const;
export const TOKEN = { purpose: 'token' } as const;

export function documentOf(
  url: string,
  extra: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    client_id: url,
    client_name: 'Example',
    redirect_uris: ['https://client.example/cb'],
    ...extra,
  };
}

export function detailOf(resolution: ClientResolution): string {
  return 'detail' in resolution ? resolution.detail : '';
}

export async function descriptionOf(ctx: Ctx, clientId: string): Promise<string> {
  const error: unknown = await authenticateClient(
    ctx,
    post({ client_id: clientId }),
    at(ctx),
  ).catch((reason: unknown) => reason);
  assert.ok(error instanceof OAuthError, 'refused');
  return `${error.status} ${error.code} ${error.description}`;
}
