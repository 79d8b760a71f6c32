import { TimeUnit } from '@gatewarden/contract/scalekit/v1/commons/commons_pb';
import {
  type OrganizationService,
  SessionPolicyType,
  type UpdateOrganizationSessionPolicyRequest,
} from '@gatewarden/contract/scalekit/v1/organizations/organizations_pb';
import { environmentOf } from '../environments/environments.ts';
import type { ApplicationSessionPolicy } from '../environments/session-policy.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { noSuchOrganization, writtenOrganization } from './organization-outcome.ts';
import { findOrganization, type Organization, type SessionPolicy } from './organizations.store.ts';
import { changeOrganization } from './organizations.ts';
import { customPolicy, type Timeout } from './session-policy.ts';

/** What an organization may set for its own people: how long they stay signed in, and how many there may be. */
export const organizationPoliciesRpc: Slice<typeof OrganizationService> = {
  async getOrganizationSessionPolicy(ctx, { organizationId }) {
    const { sessionPolicy } = await existing(ctx, organizationId);
    return { policy: policyMessage(sessionPolicy) };
  },

  async updateOrganizationSessionPolicy(ctx, request) {
    const key = keyNamed(request.organizationId);
    const { accessTokenMinutes } = (await environmentOf(ctx)).settings.sessionPolicy;
    const outcome = await changeOrganization(ctx, key, (current) => ({
      sessionPolicy: changedPolicy(current.sessionPolicy, request, accessTokenMinutes),
    }));
    return { policy: policyMessage(writtenOrganization(outcome).sessionPolicy) };
  },

  async getApplicationSessionPolicy(ctx, { organizationId }) {
    await existing(ctx, organizationId);
    const { settings } = await environmentOf(ctx);
    return { applicationPolicy: applicationPolicy(settings.sessionPolicy) };
  },

  async upsertUserManagementSettings(ctx, { organizationId, settings }) {
    const key = keyNamed(organizationId);
    if (!settings) throw invalidField('settings', 'is missing', 'required');
    const { maxAllowedUsers } = settings;
    if (maxAllowedUsers !== undefined && maxAllowedUsers < 0)
      throw invalidField('settings.max_allowed_users', 'must not be negative', 'int32.gte');
    const outcome = await changeOrganization(ctx, key, () => ({ maxAllowedUsers }));
    return { settings: settingsOf(writtenOrganization(outcome)) };
  },

  async getOrganizationUserManagementSetting(ctx, { organizationId }) {
    return { settings: settingsOf(await existing(ctx, organizationId)) };
  },
};

function settingsOf({ maxAllowedUsers }: Organization) {
  return maxAllowedUsers === undefined ? {} : { maxAllowedUsers };
}

function keyNamed(organizationId: string): { readonly id: string } {
  checkId('organization_id', organizationId, 'org');
  return { id: organizationId };
}

async function existing(ctx: Ctx, organizationId: string): Promise<Organization> {
  const { environmentId } = ctx;
  const found = await findOrganization(ctx.db, { environmentId, key: keyNamed(organizationId) });
  if (!found) throw noSuchOrganization();
  return found;
}

function changedPolicy(
  current: SessionPolicy | undefined,
  request: UpdateOrganizationSessionPolicyRequest,
  accessTokenMinutes: number,
): SessionPolicy | undefined {
  switch (request.policySource) {
    case SessionPolicyType.APPLICATION:
      return undefined;
    case SessionPolicyType.CUSTOM:
      return customPolicy(
        current,
        {
          absolute: {
            value: request.absoluteSessionTimeout,
            unit: unitOf('absolute_session_timeout_unit', request.absoluteSessionTimeoutUnit),
          },
          idle: {
            value: request.idleSessionTimeout,
            unit: unitOf('idle_session_timeout_unit', request.idleSessionTimeoutUnit),
          },
          idleEnabled: request.idleSessionTimeoutEnabled,
        },
        accessTokenMinutes,
      );
    default:
      throw invalidField('policy_source', 'must be APPLICATION or CUSTOM', 'enum.defined_only');
  }
}

function unitOf(field: string, unit: TimeUnit | undefined): Timeout['unit'] {
  switch (unit) {
    case undefined:
    case TimeUnit.SESSION_TIME_UNIT_UNSPECIFIED:
    case TimeUnit.MINUTES:
      return 'MINUTES';
    case TimeUnit.HOURS:
      return 'HOURS';
    case TimeUnit.DAYS:
      return 'DAYS';
    default:
      throw invalidField(field, 'must be MINUTES, HOURS or DAYS', 'enum.defined_only');
  }
}

/** Times in minutes, whatever they were set in. */
function policyMessage(policy: SessionPolicy | undefined) {
  if (!policy) return { policySource: SessionPolicyType.APPLICATION };
  const { absoluteMinutes, idleEnabled, idleMinutes } = policy;
  return {
    policySource: SessionPolicyType.CUSTOM,
    absoluteSessionTimeout: absoluteMinutes,
    absoluteSessionTimeoutUnit: TimeUnit.MINUTES,
    idleSessionTimeoutEnabled: idleEnabled,
    ...(idleMinutes !== undefined && {
      idleSessionTimeout: idleMinutes,
      idleSessionTimeoutUnit: TimeUnit.MINUTES,
    }),
  };
}

/** What holds for every organization of the environment. */
function applicationPolicy(policy: ApplicationSessionPolicy) {
  return {
    absoluteSessionTimeout: policy.absoluteMinutes,
    absoluteSessionTimeoutUnit: TimeUnit.MINUTES,
    idleSessionTimeoutEnabled: policy.idleEnabled,
    idleSessionTimeout: policy.idleMinutes,
    idleSessionTimeoutUnit: TimeUnit.MINUTES,
    accessTokenExpiry: policy.accessTokenMinutes,
  };
}
