import assert from 'node:assert/strict';
import {
  deleteDirectoryGroup,
  deleteDirectoryUser,
  upsertDirectoryGroup,
  upsertDirectoryUser,
} from '@gatewarden/server/testing';
import { DirectoryType } from '@scalekit-sdk/node/lib/pkg/grpc/scalekit/v1/directories/directories_pb.js';
import {
  CONNECTION,
  DELETED_GROUP,
  DELETED_PERSON,
  DIRECTORY,
  DOMAIN,
  GROUP,
  MEMBERSHIP,
  ORGANIZATION,
  PERMISSION,
  PERSON,
  ROLE,
  type Shape,
  SIGN_IN,
  SWITCHED,
  USER,
} from './vendor-webhooks-shapes.ts';
import {
  ADA,
  acme,
  age,
  CREW,
  directoryKey,
  prove,
  signIn,
  type World,
} from './vendor-webhooks-world.ts';

export type Row = {
  readonly object: string;
  readonly displayName: string;
  readonly data: Shape;
  /** Makes it happen; the rows run in their order. */
  readonly happen: (world: World) => Promise<unknown>;
};

/** One row for each type of event: what makes it happen, and what the documentation says of its payload. */
export const ROWS: Readonly<Record<string, Row>> = {
  'organization.created': {
    object: 'Organization',
    displayName: 'Organization Created',
    data: ORGANIZATION,
    happen: async ({ sdk, ids }) => {
      const options = { externalId: 'acme-1' };
      ids['acme'] =
        (await sdk.organization.createOrganization('Acme', options)).organization?.id ?? '';
    },
  },
  'organization.updated': {
    object: 'Organization',
    displayName: 'Organization Updated',
    data: ORGANIZATION,
    happen: async (world) =>
      await world.sdk.organization.updateOrganizationSettings(acme(world), {
        features: ['sso', 'dir_sync', 'domain_verification'].map((name) => ({
          name,
          enabled: true,
        })),
      }),
  },
  'permission.created': {
    object: 'Permission',
    displayName: 'Permission Created',
    data: PERMISSION,
    happen: ({ sdk }) =>
      sdk.permission.createPermission({ name: 'doc:read', description: '' } as never),
  },
  'permission.updated': {
    object: 'Permission',
    displayName: 'Permission Updated',
    data: PERMISSION,
    happen: ({ sdk }) =>
      sdk.permission.updatePermission('doc:read', {
        name: 'doc:read',
        description: 'Read',
      } as never),
  },
  'role.created': {
    object: 'Role',
    displayName: 'Role Created',
    data: ROLE,
    happen: ({ sdk }) =>
      sdk.role.createRole({ name: 'editor', displayName: 'Editor', extends: 'member' } as never),
  },
  'role.updated': {
    object: 'Role',
    displayName: 'Role Updated',
    data: ROLE,
    happen: ({ sdk }) => sdk.role.updateRole('editor', { displayName: 'Writer' } as never),
  },
  'role.deleted': {
    object: 'Role',
    displayName: 'Role Deleted',
    data: ROLE,
    happen: ({ sdk }) => sdk.role.deleteRole('editor'),
  },
  'permission.deleted': {
    object: 'Permission',
    displayName: 'Permission Deleted',
    data: PERMISSION,
    happen: ({ sdk }) => sdk.permission.deletePermission('doc:read'),
  },
  'organization.domain_dns_verification_failed': {
    object: 'Organization',
    displayName: 'Organization Domain DNS Verification Failed',
    data: DOMAIN,
    happen: (world) => prove(world, 'absent.example', false),
  },
  'organization.domain_created': {
    object: 'Organization',
    displayName: 'Organization Domain Created',
    data: DOMAIN,
    happen: async () => undefined,
  },
  'organization.domain_dns_verification_success': {
    object: 'Organization',
    displayName: 'Organization Domain DNS Verification Success',
    data: DOMAIN,
    happen: (world) => prove(world, 'proven.example', true),
  },
  'organization.domain_deleted': {
    object: 'Organization',
    displayName: 'Organization Domain Deleted',
    data: DOMAIN,
    happen: (world) => world.sdk.domain.deleteDomain(acme(world), world.ids['domain'] ?? ''),
  },
  'user.organization_invitation': {
    object: 'OrgMembership',
    displayName: 'User Organization Invitation',
    data: MEMBERSHIP,
    happen: (world) =>
      world.sdk.user.createUserAndMembership(acme(world), { email: 'invited@acme.example' }),
  },
  'user.created': {
    object: 'User',
    displayName: 'User Created',
    data: USER,
    happen: async () => undefined,
  },
  'user.organization_membership_created': {
    object: 'OrgMembership',
    displayName: 'User Organization Membership Created',
    data: MEMBERSHIP,
    happen: async (world) => {
      const made = await world.sdk.user.createUserAndMembership(acme(world), {
        email: 'ann@acme.example',
        sendInvitationEmail: false,
      });
      world.ids['ann'] = made.user?.id ?? '';
    },
  },
  'user.organization_membership_updated': {
    object: 'OrgMembership',
    displayName: 'User Organization Membership Updated',
    data: MEMBERSHIP,
    happen: (world) =>
      world.sdk.user.updateMembership(acme(world), world.ids['ann'] ?? '', { roles: ['admin'] }),
  },
  'user.updated': {
    object: 'User',
    displayName: 'User Updated',
    data: USER,
    happen: ({ sdk, ids }) =>
      sdk.user.updateUser(ids['ann'] ?? '', { metadata: { team: 'a' } } as never),
  },
  'api_key.created': {
    object: 'ApiKey',
    displayName: 'API Key Created',
    data: { token_id: true, 'user_id?': true, 'expiry?': true },
    happen: async (world) => {
      world.ids['key'] = (await world.sdk.token.createToken(acme(world))).tokenId;
    },
  },
  'api_key.revoked': {
    object: 'ApiKey',
    displayName: 'API Key Revoked',
    data: { token_id: true, 'user_id?': true },
    happen: ({ sdk, ids }) => sdk.token.invalidateToken(ids['key'] ?? ''),
  },
  'client.created': {
    object: 'Client',
    displayName: 'Client Created',
    data: { id: true, name: true, kind: true },
    happen: async (world) => {
      const made = await world.sdk.m2m.createOrganizationClient(acme(world), { name: 'Robot' });
      world.ids['client'] = made.client?.clientId ?? '';
    },
  },
  'client.deleted': {
    object: 'Client',
    displayName: 'Client Deleted',
    data: { id: true, because: true },
    happen: (world) =>
      world.sdk.m2m.deleteOrganizationClient(acme(world), world.ids['client'] ?? ''),
  },
  'organization.sso_created': {
    object: 'Connection',
    displayName: 'Organization SSO Created',
    data: CONNECTION,
    happen: async (world) => {
      const own = { provider: 'OKTA', type: 'OIDC' };
      const root = `/organizations/${acme(world)}/connections`;
      const { connection } = await world.rest('POST', root, own);
      world.ids['connection'] = connection.id;
      const oidc_config = {
        issuer: 'https://acme.okta.example',
        authorize_uri: 'https://acme.okta.example/authorize',
        token_uri: 'https://acme.okta.example/token',
        jwks_uri: 'https://acme.okta.example/keys',
        client_id: '0oa1',
        client_secret: 'secret-of-the-connection-0123456789',
      };
      await world.rest('PATCH', `${root}/${connection.id}`, { ...own, oidc_config });
    },
  },
  'organization.sso_enabled': {
    object: 'Connection',
    displayName: 'Organization SSO Enabled',
    data: SWITCHED,
    happen: (world) =>
      world.sdk.connection.enableConnection(acme(world), world.ids['connection'] ?? ''),
  },
  'connection.certificate_expiring': {
    object: 'Connection',
    displayName: 'Connection Certificate Expiring',
    data: { ...CONNECTION, certificate_id: true, expires_at: true },
    happen: age,
  },
  'organization.sso_disabled': {
    object: 'Connection',
    displayName: 'Organization SSO Disabled',
    data: SWITCHED,
    happen: (world) =>
      world.sdk.connection.disableConnection(acme(world), world.ids['connection'] ?? ''),
  },
  'organization.sso_deleted': {
    object: 'Connection',
    displayName: 'Organization SSO Deleted',
    data: CONNECTION,
    happen: (world) =>
      world.sdk.connection.deleteConnection(acme(world), world.ids['connection'] ?? ''),
  },
  'organization.directory_disabled': {
    object: 'Directory',
    displayName: 'Organization Directory Disabled',
    data: DIRECTORY,
    happen: async (world) => {
      const scim = { directoryType: DirectoryType.SCIM } as never;
      const { directory } = await world.sdk.directory.createDirectory(acme(world), scim);
      world.ids['directory'] = directory?.id ?? '';
      await world.sdk.directory.disableDirectory(acme(world), directory?.id ?? '');
    },
  },
  'organization.directory_enabled': {
    object: 'Directory',
    displayName: 'Organization Directory Enabled',
    data: DIRECTORY,
    happen: (world) =>
      world.sdk.directory.enableDirectory(acme(world), world.ids['directory'] ?? ''),
  },
  'organization.directory.user_created': {
    object: 'DirectoryUser',
    displayName: 'Organization Directory User Created',
    data: PERSON,
    happen: async (world) => {
      const made = await upsertDirectoryUser(world.gatewarden.context(), directoryKey(world), ADA);
      assert.equal(made.kind, 'created');
      world.ids['person'] = 'user' in made ? made.user.id : '';
    },
  },
  'organization.directory.user_updated': {
    object: 'DirectoryUser',
    displayName: 'Organization Directory User Updated',
    data: PERSON,
    happen: (world) =>
      upsertDirectoryUser(world.gatewarden.context(), directoryKey(world), {
        ...ADA,
        id: world.ids['person'],
        familyName: 'King',
      }),
  },
  'organization.directory.group_created': {
    object: 'DirectoryGroup',
    displayName: 'Organization Directory Group Created',
    data: GROUP,
    happen: async (world) => {
      const made = await upsertDirectoryGroup(
        world.gatewarden.context(),
        directoryKey(world),
        CREW,
      );
      assert.equal(made.kind, 'created');
      world.ids['group'] = 'group' in made ? made.group.id : '';
    },
  },
  'organization.directory.group_updated': {
    object: 'DirectoryGroup',
    displayName: 'Organization Directory Group Updated',
    data: GROUP,
    happen: (world) =>
      upsertDirectoryGroup(world.gatewarden.context(), directoryKey(world), {
        ...CREW,
        id: world.ids['group'],
        displayName: 'The crew',
      }),
  },
  'organization.directory.group_deleted': {
    object: 'DirectoryGroup',
    displayName: 'Organization Directory Group Deleted',
    data: DELETED_GROUP,
    happen: (world) =>
      deleteDirectoryGroup(
        world.gatewarden.context(),
        directoryKey(world),
        world.ids['group'] ?? '',
      ),
  },
  'organization.directory.user_deleted': {
    object: 'DirectoryUser',
    displayName: 'Organization Directory User Deleted',
    data: DELETED_PERSON,
    happen: (world) =>
      deleteDirectoryUser(
        world.gatewarden.context(),
        directoryKey(world),
        world.ids['person'] ?? '',
      ),
  },
  'user.signup': {
    object: 'OrgMembership',
    displayName: 'User Signup',
    data: { 'organization?': ORGANIZATION, user: USER },
    happen: signIn,
  },
  'user.login': {
    object: 'User',
    displayName: 'User Login',
    data: SIGN_IN,
    happen: async () => undefined,
  },
  'session.revoked': {
    object: 'Session',
    displayName: 'Session Revoked',
    data: SIGN_IN,
    happen: ({ sdk, ids }) => sdk.session.revokeAllUserSessions(ids['signedUp'] ?? ''),
  },
  'user.logout': {
    object: 'User',
    displayName: 'User Logout',
    data: SIGN_IN,
    happen: async () => undefined,
  },
  'user.organization_membership_deleted': {
    object: 'OrgMembership',
    displayName: 'User Organization Membership Deleted',
    data: MEMBERSHIP,
    happen: (world) => world.sdk.user.deleteMembership(acme(world), world.ids['ann'] ?? ''),
  },
  'user.deleted': {
    object: 'User',
    displayName: 'User Deleted',
    data: { id: true },
    happen: ({ sdk, ids }) => sdk.user.deleteUser(ids['signedUp'] ?? ''),
  },
  'organization.deleted': {
    object: 'Organization',
    displayName: 'Organization Deleted',
    data: { ...ORGANIZATION, deleted_at: true },
    happen: (world) => world.sdk.organization.deleteOrganization(acme(world)),
  },
};
