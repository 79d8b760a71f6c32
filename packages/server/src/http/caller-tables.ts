/**
 * What single methods ask of operators, of people on the hosted pages and of administration portals, beyond the kinds of callers
 * that the contract names. Each entry was reviewed; docs/contract.md shows what comes of them, and a test compares the two.
 * Names are `Service.Method`.
 */

/** Methods with the verb GET that change something. */
export const CHANGING_GETS: ReadonlySet<string> = new Set([
  'DirectoryService.TriggerDirectorySync',
  'WebhookService.WebhookWrapper',
]);

/** Methods with another verb that only read. */
export const READING_POSTS: ReadonlySet<string> = new Set([
  'EnvironmentService.GetRequiredDNSRecords',
  'EnvironmentService.GetScalekitResources',
  'EventsService.ListEvents',
  'EventsService.ListEventsPaginated',
]);

/** Methods that read what opens something: secrets, codes of test users, addresses that are a right by themselves. */
export const REVEALING: ReadonlySet<string> = new Set([
  'EmailService.GetEmailConfiguration',
  'EmailService.GetEmailServer',
  'EmailService.ListEmailServers',
  'EnvironmentService.GetEnvironmentTestUser',
  'EnvironmentService.GetScalekitResources',
  'InterceptorService.GetInterceptor',
  'InterceptorService.ListInterceptors',
  'OrganizationService.GetPortalLinks',
  'SecretService.GetSecret',
  'SecretService.ListSecrets',
  'WebhookService.GetPortalURL',
  'WorkspaceService.GetBillingInfo',
  'WorkspaceService.GetBillingPortal',
  'WorkspaceService.GetWorkspacePricingTable',
]);

/** Methods for owners alone: who operates the environment, environments as a whole, their keys, and what is paid for. */
export const OWNERS_ONLY: ReadonlySet<string> = new Set([
  'EnvironmentService.CreateCustomDomain',
  'EnvironmentService.CreateEnvironment',
  'EnvironmentService.DeleteEnvironment',
  'EnvironmentService.UpdateEnvironmentDomain',
  'KeyManagementService.CreateDEK',
  'KeyManagementService.CreateMasterKey',
  'KeyManagementService.DeleteDEK',
  'KeyManagementService.DestroyDEK',
  'KeyManagementService.DestroyMasterKey',
  'KeyManagementService.RotateDEK',
  'KeyManagementService.RotateMasterKey',
  'KeyManagementService.SetActiveDEK',
  'KeyManagementService.SetActiveMasterKey',
  'MembersService.CreateMember',
  'MembersService.DeleteMember',
  'MembersService.UpdateMember',
  'SigningKeyService.RotateSigningKey',
  'SigningKeyService.WithdrawSigningKeys',
  'WorkspaceService.AddSubscription',
  'WorkspaceService.CreateCheckoutSession',
  'WorkspaceService.CreateWorkspaceDomain',
  'WorkspaceService.DeleteWorkspaceDomain',
  'WorkspaceService.GetBillingPortal',
  'WorkspaceService.OnboardWorkspace',
  'WorkspaceService.UpdateCurrentWorkspace',
  'WorkspaceService.UpdateWorkspace',
  'WorkspaceService.UpdateWorkspaceContext',
]);

/** Methods that only clients of the environment use, whomever else the contract lets in. */
export const CLIENTS_ONLY: ReadonlySet<string> = new Set(['DirectoryService.TriggerDirectorySync']);

/** Methods about the operator who calls: a client of the environment is none. */
export const OPERATORS_OWN: ReadonlySet<string> = new Set([
  'MembersService.GetCurrentMember',
  'MembersService.UpdateCurrentMember',
]);

/** The contract's names of what a person must be permitted, and the permissions of roles that stand for them. */
export const PERMISSIONS: ReadonlyMap<string, string> = new Map([
  ['organizations_read', 'sk_org_settings_read'],
  ['organizations_write', 'sk_org_settings_manage'],
  ['organizations_sessions_read', 'sk_org_session_policy_read'],
  ['organizations_sessions_write', 'sk_org_session_policy_manage'],
  ['organizations_users_read', 'sk_org_users_read'],
  ['organizations_users_invite', 'sk_org_users_invite'],
  ['organizations_users_remove', 'sk_org_users_delete'],
  ['organizations_users_role_update', 'sk_org_users_role_change'],
  ['connections_read', 'sk_org_sso_read'],
  ['connections_write', 'sk_org_sso_manage'],
  ['directories_read', 'sk_org_scim_read'],
  ['directories_write', 'sk_org_scim_manage'],
]);

/** Which part of the environment a caller that is not of the environment may reach with a method. */
export type Reach =
  /** The organization that the request names must be the caller's own. */
  | {
      readonly to: 'organization';
      /** Paths of the request that may be set, for methods that could also change what belongs to the application. */
      readonly members?: readonly string[];
      /** For people, where the contract names none. */
      readonly permission?: string;
    }
  /** The person that this field of the request names must be the caller. */
  | { readonly to: 'person'; readonly field: string }
  /** The implementation knows the caller, and takes everything from there. */
  | { readonly to: 'self' }
  /** The same for everybody in the environment, and nobody's secret. */
  | { readonly to: 'environment' }
  | { readonly to: 'nothing' };

const NOTHING = { to: 'nothing' } as const;

/**
 * What people on the hosted pages may reach. Methods that are not here reach the organization that the request names if the
 * contract says which permission that needs, and otherwise nothing.
 */
export const PEOPLE_REACH: ReadonlyMap<string, Reach> = new Map<string, Reach>([
  ['ClientService.ListCurrentAgentConsents', { to: 'self' }],
  ['ClientService.RevokeCurrentAgentConsent', { to: 'self' }],
  ['ConnectionService.GetConnectionContext', { to: 'organization', permission: 'sk_org_sso_read' }],
  [
    'ConnectionService.UpdateConnectionContext',
    { to: 'organization', permission: 'sk_org_sso_manage' },
  ],
  ['DirectoryService.GetDirectoryContext', { to: 'organization', permission: 'sk_org_scim_read' }],
  [
    'DirectoryService.UpdateDirectoryContext',
    { to: 'organization', permission: 'sk_org_scim_manage' },
  ],
  ['EnvironmentService.GetCurrentSession', { to: 'self' }],
  // External id, slug and metadata are the application's.
  [
    'OrganizationService.UpdateOrganization',
    {
      to: 'organization',
      members: ['id', 'organization.display_name', 'organization.logo_url', 'update_mask'],
    },
  ],
  ['SessionService.GetUserSessions', { to: 'person', field: 'user_id' }],
  ['SessionService.RevokeSession', { to: 'self' }],
  // Takes anybody of the environment into the organization, by id; people are invited by their address.
  ['UserService.CreateMembership', NOTHING],
  // Without roles: who may only invite would otherwise invite another self with every right.
  [
    'UserService.CreateUserAndMembership',
    {
      to: 'organization',
      members: [
        'organization_id',
        'user.email',
        'user.user_profile.first_name',
        'user.user_profile.last_name',
        'user.user_profile.name',
        'user.user_profile.given_name',
        'user.user_profile.family_name',
        'user.user_profile.locale',
      ],
    },
  ],
  // With `cascade` it would delete the person, who is not the organization's alone.
  [
    'UserService.DeleteMembership',
    { to: 'organization', members: ['organization_id', 'id', 'external_id'] },
  ],
  ['UserService.GetCurrentUser', { to: 'self' }],
  ['UserService.GetUser', { to: 'person', field: 'id' }],
  [
    'UserService.UpdateMembership',
    { to: 'organization', members: ['organization_id', 'id', 'external_id', 'membership.roles'] },
  ],
  ['WebAuthnService.BeginRegistration', { to: 'self' }],
  ['WebAuthnService.DeleteCredential', { to: 'self' }],
  ['WebAuthnService.FinishRegistration', { to: 'self' }],
  ['WebAuthnService.ListCredentials', { to: 'person', field: 'user_id' }],
  ['WebAuthnService.UpdateCredential', { to: 'self' }],
]);

const SSO = ['sso'] as const;
const DIRECTORY = ['dir_sync'] as const;
const BOTH = ['sso', 'dir_sync'] as const;

/** What a portal's link must be for. */
export type PortalReach = Reach & { readonly features: readonly string[] };

/** Services whose methods a portal reaches by the organization that the request names, with what its link must be for. */
export const PORTAL_SERVICES: ReadonlyMap<string, readonly string[]> = new Map<
  string,
  readonly string[]
>([
  ['ConnectionService', SSO],
  ['DirectoryService', DIRECTORY],
  ['DomainService', SSO],
]);

/** What portals may reach besides; everything else is refused. */
export const PORTAL_REACH: ReadonlyMap<string, PortalReach> = new Map<string, PortalReach>([
  // Looks at who calls: only connections of the portal's organization.
  ['ConnectionService.GetConnectionTestResult', { to: 'self', features: SSO }],
  ['ConnectionService.ListAppConnections', { ...NOTHING, features: SSO }],
  ['EnvironmentService.GetCurrentSession', { to: 'self', features: [] }],
  ['EnvironmentService.GetPortalCustomization', { to: 'environment', features: [] }],
  ['EnvironmentService.PortalBootstrap', { to: 'self', features: [] }],
  // Both look at who calls, and keep to the portal's organization by themselves.
  ['EventsService.ListEvents', { to: 'self', features: [] }],
  ['EventsService.SendCustomEvent', { to: 'self', features: [] }],
  ['OrganizationService.GetOrganization', { to: 'organization', features: [] }],
  ['RolesService.GetOrganizationRole', { to: 'organization', features: BOTH }],
  ['RolesService.ListOrganizationRoles', { to: 'organization', features: BOTH }],
  ['RolesService.ListRoles', { to: 'environment', features: BOTH }],
  ['UserAttributeService.ListDirectoryUserAttributes', { to: 'environment', features: DIRECTORY }],
  ['UserAttributeService.ListSsoUserAttributes', { to: 'environment', features: SSO }],
]);
