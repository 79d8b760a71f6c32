import type { Client } from '@connectrpc/connect';
import { InterceptorSecretService } from '@gatewarden/contract/gatewarden/v1/interceptor_secrets_pb';
import { McpServerSettingsService } from '@gatewarden/contract/gatewarden/v1/mcp_server_settings_pb';
import { SigningKeyService } from '@gatewarden/contract/gatewarden/v1/signing_keys_pb';
import { WebhookEndpointService } from '@gatewarden/contract/gatewarden/v1/webhook_endpoints_pb';
import type { Calls } from './calls.ts';

/** What Gatewarden has beyond Scalekit's API. Methods take and give the contract's messages. */
export type OwnServices = {
  /** Endpoints that events are sent to, and the log of what was sent. */
  readonly webhooks: Client<typeof WebhookEndpointService>;
  /** The secrets that calls of interceptors are signed with. */
  readonly interceptorSecrets: Client<typeof InterceptorSecretService>;
  /** The keys that the environment signs tokens with. */
  readonly signingKeys: Client<typeof SigningKeyService>;
  /** What an MCP server has in Gatewarden alone. */
  readonly mcpServerSettings: Client<typeof McpServerSettingsService>;
};

/** Clients of the services under gatewarden.v1. */
export function ownServices(calls: Calls): OwnServices {
  return {
    webhooks: calls(WebhookEndpointService),
    interceptorSecrets: calls(InterceptorSecretService),
    signingKeys: calls(SigningKeyService),
    mcpServerSettings: calls(McpServerSettingsService),
  };
}
