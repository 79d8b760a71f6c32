import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  CookiePersistenceType,
  CookieSameSiteSetting,
  type EnvironmentService,
  type SessionSettings,
  type SessionSettingsSchema,
  TimeUnit,
} from '@gatewarden/contract/scalekit/v1/environments/environments_pb';
import type { Slice } from '../http/calls.ts';
import { invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { checkOwnEnvironment, ownEnvironment } from './environment-outcome.ts';
import type { Environment } from './environments.store.ts';
import { changeEnvironment } from './environments.ts';
import { type ApplicationSessionPolicy, USUAL_SESSION_POLICY } from './session-policy.ts';
import {
  changedSessionPolicy,
  type SentTime,
  type SessionSettingsChange,
} from './session-settings.ts';

/** How long people stay signed in at the environment, and how long access tokens of its applications live (FSA-39). */
export const environmentSessionSettingsRpc: Slice<typeof EnvironmentService> = {
  async getEnvironmentSessionSettings(ctx, { id }) {
    return { sessionSettings: messageOf(await ownEnvironment(ctx, id)) };
  },

  /** What is not named is as in a new environment. */
  async createEnvironmentSessionSettings(ctx, { id, sessionSettings }) {
    return await write(ctx, id, sessionSettings, () => USUAL_SESSION_POLICY);
  },

  async updateEnvironmentSessionSettings(ctx, { id, sessionSettings }) {
    return await write(ctx, id, sessionSettings, ({ settings }) => settings.sessionPolicy);
  },
};

async function write(
  ctx: Ctx,
  id: string,
  sent: SessionSettings | undefined,
  base: (current: Environment) => ApplicationSessionPolicy,
) {
  checkOwnEnvironment(ctx, id);
  if (!sent) throw invalidField('session_settings', 'is missing', 'required');
  const change = changeOf(sent);
  const changed = await changeEnvironment(
    ctx,
    'environment.session_settings_updated',
    (current) => ({ settings: { sessionPolicy: changedSessionPolicy(base(current), change) } }),
    ({ settings: { sessionPolicy: policy } }) => ({
      absolute_session_timeout: policy.absoluteMinutes,
      idle_session_enabled: policy.idleEnabled,
      idle_session_timeout: policy.idleMinutes,
      access_token_expiry: policy.accessTokenMinutes,
      cookie_persistent: policy.persistent,
    }),
  );
  return { environmentId: changed.id, sessionSettings: messageOf(changed) };
}

/** What has no effect here is refused, so that nobody relies on it. */
function changeOf(sent: SessionSettings): SessionSettingsChange {
  if (sent.clientAccessTokenExpiry !== undefined)
    throw refused('client_access_token_expiry', 'each client has a lifetime of its own');
  if (sent.sessionManagementEnabled === false)
    throw refused('session_management_enabled', 'sessions cannot be switched off');
  if (sent.cookieCustomDomain !== undefined && sent.cookieCustomDomain !== '')
    throw refused('cookie_custom_domain', 'cookies belong to the host of the environment alone');
  if (sent.cookieSameSiteSetting === CookieSameSiteSetting.NONE_MODE)
    throw refused('cookie_same_site_setting', 'cookies are always LAX_MODE');
  return {
    absolute: time(
      'absolute_session_timeout',
      sent.absoluteSessionTimeout,
      sent.absoluteSessionTimeoutUnit,
    ),
    idle: time('idle_session_timeout', sent.idleSessionTimeout, sent.idleSessionTimeoutUnit),
    idleEnabled: sent.idleSessionEnabled,
    accessToken: time('access_token_expiry', sent.accessTokenExpiry, sent.accessTokenExpiryUnit),
    persistent: persistence(sent.cookiePersistenceType),
  };
}

function time(name: string, value: number | undefined, unit: TimeUnit): SentTime {
  switch (unit) {
    case TimeUnit.SESSION_TIME_UNIT_UNSPECIFIED:
      return { value, unit: undefined };
    case TimeUnit.MINUTES:
      return { value, unit: 'MINUTES' };
    case TimeUnit.HOURS:
      return { value, unit: 'HOURS' };
    case TimeUnit.DAYS:
      return { value, unit: 'DAYS' };
    default:
      throw invalidField(
        `session_settings.${name}_unit`,
        'must be MINUTES, HOURS or DAYS',
        'enum.defined_only',
      );
  }
}

function persistence(type: CookiePersistenceType): boolean | undefined {
  switch (type) {
    case CookiePersistenceType.CookiePersistenceType_UNSPECIFIED:
      return undefined;
    case CookiePersistenceType.PERSISTENT:
      return true;
    case CookiePersistenceType.SESSION:
      return false;
    default:
      throw refused('cookie_persistence_type', 'must be PERSISTENT or SESSION');
  }
}

function refused(name: string, description: string) {
  return invalidField(`session_settings.${name}`, description, 'supported');
}

/** Times in minutes, whatever they were set in. */
function messageOf({ settings }: Environment): MessageInitShape<typeof SessionSettingsSchema> {
  const { absoluteMinutes, idleEnabled, idleMinutes, accessTokenMinutes, persistent } =
    settings.sessionPolicy;
  return {
    accessTokenExpiry: accessTokenMinutes,
    accessTokenExpiryUnit: TimeUnit.MINUTES,
    absoluteSessionTimeout: absoluteMinutes,
    absoluteSessionTimeoutUnit: TimeUnit.MINUTES,
    sessionManagementEnabled: true,
    idleSessionTimeout: idleMinutes,
    idleSessionTimeoutUnit: TimeUnit.MINUTES,
    idleSessionEnabled: idleEnabled,
    cookiePersistenceType: persistent
      ? CookiePersistenceType.PERSISTENT
      : CookiePersistenceType.SESSION,
    cookieSameSiteSetting: CookieSameSiteSetting.LAX_MODE,
  };
}
