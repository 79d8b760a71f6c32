import type { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { recordFor } from '../events/events.ts';
import { type ApiCode, ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { findMcpServer, isServing } from '../mcp/mcp-servers.ts';
import { OAuthError } from '../oauth/oauth-error.ts';
import { registrationMessage } from './client-message.ts';
import { registerClient } from './registration.ts';

/**
 * Registration without an administrator, for callers of gRPC and Connect: the same rules, limits and rows as RFC 7591 over
 * HTTP (AS-57 to AS-66). A client that says no more than this message can has a secret.
 */
export const registerClientRpc: Slice<typeof ClientService> = {
  async registerClient(ctx, { resId, client }) {
    checkId('res_id', resId, 'res');
    if (!client) throw invalidField('client', 'is missing', 'required');
    const { clientName, redirectUris, scope, clientUri, logoUri, tosUri, policyUri } = client;
    const body = {
      client_name: clientName,
      redirect_uris: redirectUris,
      scope,
      client_uri: clientUri,
      logo_uri: logoUri,
      tos_uri: tosUri,
      policy_uri: policyUri,
    };
    checkText('client.', body);
    const mcpServer = await findMcpServer(ctx, resId);
    if (!isServing(mcpServer))
      throw new ApiError('not_found', 'RESOURCE_NOT_FOUND', 'there is no such resource');
    try {
      const { record, secret } = await registerClient(ctx, mcpServer, body);
      ctx.metrics.count('gatewarden_registrations_total', { outcome: 'registered' });
      return registrationMessage(mcpServer, { ...record, handle: record.client.id }, secret);
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      ctx.metrics.count('gatewarden_registrations_total', { outcome: error.code });
      // Limits write their own event.
      if (error.status !== 429)
        await recordFor(ctx, {
          type: 'client.registration_refused',
          outcome: 'failure',
          reason: error.code,
          mcpServerId: mcpServer.id,
          data: { description: error.description },
        });
      throw refusalOf(error);
    }
  },
};

/** What RFC 7591 answers, in the terms of the management API. */
function refusalOf(error: OAuthError): ApiError {
  const codes: Readonly<Record<number, ApiCode>> = {
    403: 'permission_denied',
    404: 'not_found',
    429: 'resource_exhausted',
    503: 'unavailable',
  };
  const retryAfter = Number(error.headers['retry-after']);
  return new ApiError(
    codes[error.status] ?? 'invalid_argument',
    error.code.toUpperCase(),
    error.description,
    Number.isFinite(retryAfter) ? { retryAfter } : {},
  );
}
