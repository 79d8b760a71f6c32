import { InterceptorSecretService } from '@gatewarden/contract/gatewarden/v1/interceptor_secrets_pb';
import { McpServerSettingsService } from '@gatewarden/contract/gatewarden/v1/mcp_server_settings_pb';
import { SigningKeyService } from '@gatewarden/contract/gatewarden/v1/signing_keys_pb';
import { WebhookEndpointService } from '@gatewarden/contract/gatewarden/v1/webhook_endpoints_pb';
import { AuditLogsService } from '@gatewarden/contract/scalekit/v1/auditlogs/auditlogs_pb';
import { AuthService } from '@gatewarden/contract/scalekit/v1/auth/auth_pb';
import { PasswordlessService } from '@gatewarden/contract/scalekit/v1/auth/passwordless_pb';
import { TOTPService } from '@gatewarden/contract/scalekit/v1/auth/totp_pb';
import { WebAuthnService } from '@gatewarden/contract/scalekit/v1/auth/webauthn_pb';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { ConnectionService } from '@gatewarden/contract/scalekit/v1/connections/connections_pb';
import { DirectoryService } from '@gatewarden/contract/scalekit/v1/directories/directories_pb';
import { DomainService } from '@gatewarden/contract/scalekit/v1/domains/domains_pb';
import { EmailService } from '@gatewarden/contract/scalekit/v1/emails/emails_pb';
import { EnvironmentService } from '@gatewarden/contract/scalekit/v1/environments/environments_pb';
import { EventsService } from '@gatewarden/contract/scalekit/v1/events/events_pb';
import { InterceptorService } from '@gatewarden/contract/scalekit/v1/interceptors/interceptors_pb';
import { KeyManagementService } from '@gatewarden/contract/scalekit/v1/keys/keys_pb';
import { MembersService } from '@gatewarden/contract/scalekit/v1/members/members_pb';
import { MigrationService } from '@gatewarden/contract/scalekit/v1/migrations/migrations_pb';
import { OrganizationService } from '@gatewarden/contract/scalekit/v1/organizations/organizations_pb';
import { RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import { SecretService } from '@gatewarden/contract/scalekit/v1/secrets/secrets_pb';
import { SessionService } from '@gatewarden/contract/scalekit/v1/sessions/sessions_pb';
import { ApiTokenService } from '@gatewarden/contract/scalekit/v1/tokens/tokens_pb';
import { UserAttributeService } from '@gatewarden/contract/scalekit/v1/user_attributes/user_attributes_pb';
import { UserService } from '@gatewarden/contract/scalekit/v1/users/users_pb';
import { WebhookService } from '@gatewarden/contract/scalekit/v1/webhooks/webhooks_pb';
import { WorkspaceService } from '@gatewarden/contract/scalekit/v1/workspaces/workspaces_pb';
import type { FastifyInstance } from 'fastify';
import { apiKeysRpc } from './api-keys/api-keys.rpc.ts';
import { agentConsentsRpc } from './clients/agent-consents.rpc.ts';
import { clientSecretsRpc } from './clients/client-secrets.rpc.ts';
import { environmentClientsRpc } from './clients/environment-clients.rpc.ts';
import { organizationClientsRpc } from './clients/organization-clients.rpc.ts';
import { registerClientRpc } from './clients/register-client.rpc.ts';
import { resourceClientsRpc } from './clients/resource-clients.rpc.ts';
import { scopesRpc } from './clients/scopes.rpc.ts';
import { userConsentsRpc } from './clients/user-consents.rpc.ts';
import { directoriesRpc } from './directory/directories.rpc.ts';
import { directoryPeopleRpc } from './directory/directory-people.rpc.ts';
import { emailServersRpc } from './email/email-servers.rpc.ts';
import { emailTemplatesRpc } from './email/email-templates.rpc.ts';
import { environmentSessionSettingsRpc } from './environments/environment-session-settings.rpc.ts';
import { environmentTestUsersRpc } from './environments/environment-test-users.rpc.ts';
import { environmentUserManagementRpc } from './environments/environment-user-management.rpc.ts';
import { environmentsRpc } from './environments/environments.rpc.ts';
import { userAttributesRpc } from './environments/user-attributes.rpc.ts';
import { eventsRpc } from './events/events.rpc.ts';
import { organizationDeletionRpc, userDeletionsRpc } from './grants/deletions.rpc.ts';
import { createCalls, type Service, service } from './http/calls.ts';
import { mountConnect } from './http/connect.ts';
import { describeApi } from './http/openapi.ts';
import type { PageCallers } from './http/page-callers.ts';
import { mountRest } from './http/rest.ts';
import { interceptorSecretsRpc } from './interceptors/interceptor-secrets.rpc.ts';
import { interceptorsRpc } from './interceptors/interceptors.rpc.ts';
import { authCodeRpc } from './login/auth-code.rpc.ts';
import { authLoginRpc } from './login/auth-login.rpc.ts';
import { authOrganizationsRpc } from './login/auth-organizations.rpc.ts';
import { authRequestsRpc } from './login/auth-requests.rpc.ts';
import { loginUserDetailsRpc } from './login/login-user-details.rpc.ts';
import { passwordlessRpc } from './login/passwordless.rpc.ts';
import { revokeSessionsRpc } from './login/revoke-sessions.rpc.ts';
import { personOf } from './login/session-caller.ts';
import { mcpServerSettingsRpc } from './mcp/mcp-server-settings.rpc.ts';
import { mcpServersRpc } from './mcp/mcp-servers.rpc.ts';
import { consentDetailsRpc } from './oauth/authorize/consent-details.rpc.ts';
import { authenticateCaller } from './oauth/token/authenticate-caller.ts';
import { createEnvironmentRpc } from './operations/create-environment.rpc.ts';
import { signingKeysRpc } from './operations/signing-keys.rpc.ts';
import { membersRpc } from './operators/members.rpc.ts';
import { operatorOf } from './operators/operator-sessions.ts';
import { organizationPoliciesRpc } from './organizations/organization-policies.rpc.ts';
import { organizationsRpc } from './organizations/organizations.rpc.ts';
import { mountOpenApi } from './pages/openapi.routes.ts';
import { passkeysRpc } from './passkeys/passkeys.rpc.ts';
import { portalLinksRpc } from './portal/portal-links.rpc.ts';
import { portalOf } from './portal/portal-sessions.ts';
import { organizationRolesRpc } from './roles/organization-roles.rpc.ts';
import { permissionsRpc } from './roles/permissions.rpc.ts';
import { rolePermissionsRpc } from './roles/role-permissions.rpc.ts';
import { rolesRpc } from './roles/roles.rpc.ts';
import type { App } from './runtime/context.ts';
import { sessionsRpc } from './sessions/sessions.rpc.ts';
import { connectionDetailsRpc } from './sso/connection-details.rpc.ts';
import { connectionListsRpc } from './sso/connection-lists.rpc.ts';
import { connectionsRpc } from './sso/connections.rpc.ts';
import { domainsRpc } from './sso/domains.rpc.ts';
import { environmentConnectionsRpc } from './sso/environment-connections.rpc.ts';
import { currentUserRpc } from './users/current-user.rpc.ts';
import { memberRolesRpc } from './users/member-roles.rpc.ts';
import { membershipsRpc } from './users/memberships.rpc.ts';
import { usersRpc } from './users/users.rpc.ts';
import { customEventsRpc } from './webhooks/custom-events.rpc.ts';
import { testEventsRpc } from './webhooks/test-events.rpc.ts';
import { webhookDeliveriesRpc } from './webhooks/webhook-deliveries.rpc.ts';
import { webhookEndpointsRpc } from './webhooks/webhook-endpoints.rpc.ts';

/**
 * All services of the contract, each put together from its slices. Methods that no slice has answer `unimplemented`: a client
 * can tell what this server lacks from what does not exist.
 */
export const services: readonly Service[] = [
  service(
    OrganizationService,
    organizationsRpc,
    organizationDeletionRpc,
    organizationPoliciesRpc,
    portalLinksRpc,
  ),
  service(
    ConnectionService,
    connectionsRpc,
    environmentConnectionsRpc,
    connectionListsRpc,
    connectionDetailsRpc,
  ),
  service(DomainService, domainsRpc),
  service(DirectoryService, directoriesRpc, directoryPeopleRpc),
  service(UserService, usersRpc, membershipsRpc, memberRolesRpc, currentUserRpc, userDeletionsRpc),
  service(RolesService, permissionsRpc, rolesRpc, organizationRolesRpc, rolePermissionsRpc),
  service(
    ClientService,
    mcpServersRpc,
    resourceClientsRpc,
    clientSecretsRpc,
    userConsentsRpc,
    registerClientRpc,
    organizationClientsRpc,
    environmentClientsRpc,
    agentConsentsRpc,
    scopesRpc,
    consentDetailsRpc,
  ),
  service(SessionService, sessionsRpc, revokeSessionsRpc),
  service(AuthService, loginUserDetailsRpc, authLoginRpc, authCodeRpc, authOrganizationsRpc),
  service(PasswordlessService, passwordlessRpc),
  service(WebAuthnService, passkeysRpc),
  service(TOTPService),
  service(ApiTokenService, apiKeysRpc),
  service(AuditLogsService, authRequestsRpc),
  service(EventsService, eventsRpc, customEventsRpc),
  service(WebhookService, testEventsRpc),
  service(InterceptorService, interceptorsRpc),
  service(UserAttributeService, userAttributesRpc),
  service(
    EnvironmentService,
    environmentsRpc,
    createEnvironmentRpc,
    environmentSessionSettingsRpc,
    environmentUserManagementRpc,
    environmentTestUsersRpc,
  ),
  service(EmailService, emailTemplatesRpc, emailServersRpc),
  service(KeyManagementService),
  service(SecretService),
  service(MembersService, membersRpc),
  service(WorkspaceService),
  service(MigrationService),
  service(McpServerSettingsService, mcpServerSettingsRpc),
  service(InterceptorSecretService, interceptorSecretsRpc),
  service(WebhookEndpointService, webhookEndpointsRpc, webhookDeliveriesRpc),
  service(SigningKeyService, signingKeysRpc),
];

/** Who may call by the cookies of a page of ours, by the word the page says it with. */
const pages: PageCallers = { operator: operatorOf, session: personOf, portal: portalOf };

/** The management API: gRPC, gRPC-Web, Connect and REST in front of one implementation, and its description. */
export function mountRpcs(app: App, http: FastifyInstance): void {
  const calls = createCalls({ app, authenticateCaller, pages });
  mountConnect(http, calls, services);
  mountRest(http, calls, services);
  mountOpenApi(http, () => describeApi(services));
}
