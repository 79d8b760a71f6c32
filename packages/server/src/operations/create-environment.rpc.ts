import {
  AuthenticationMode,
  EnvironmentType,
  RegionCode,
} from '@gatewarden/contract/scalekit/v1/commons/commons_pb';
import type {
  CreateEnvironment,
  EnvironmentService,
} from '@gatewarden/contract/scalekit/v1/environments/environments_pb';
import { checkName, environmentMembers } from '../environments/environment-members.ts';
import type { Environment } from '../environments/environments.ts';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { createEnvironment, MOST_ENVIRONMENTS } from './create-environment.ts';

/** Another environment of this deployment. */
export const createEnvironmentRpc: Slice<typeof EnvironmentService> = {
  async createEnvironment(ctx, { environment }) {
    if (!environment) throw invalidField('environment', 'is missing', 'required');
    const { displayName } = environment;
    checkName(displayName);
    checkPlace(environment);
    const outcome = await createEnvironment(ctx, { displayName, kind: kindOf(ctx, environment) });
    switch (outcome.kind) {
      case 'created':
        return { environment: messageOf(outcome.environment) };
      case 'too-many':
        throw new ApiError(
          'failed_precondition',
          'TOO_MANY_ENVIRONMENTS',
          `a deployment has at most ${MOST_ENVIRONMENTS} environments`,
        );
      case 'no-name':
        throw new ApiError(
          'failed_precondition',
          'NO_HOST_NAME',
          'the URL of the first environment has no host name that another one could be below',
        );
      case 'busy':
        throw new ApiError(
          'resource_exhausted',
          'RATE_LIMITED',
          'another environment is being made: try again',
          { retryAfter: 2 },
        );
    }
  },
};

function messageOf(environment: Environment) {
  const type = environment.kind === 'PRODUCTION' ? EnvironmentType.PRD : EnvironmentType.DEV;
  return { ...environmentMembers(environment), regionCode: RegionCode.US, type };
}

/** What a deployment cannot give to one environment alone is refused. */
function checkPlace({ regionCode, authenticationMode }: CreateEnvironment): void {
  const region = regionCode ?? RegionCode.REGION_CODE_UNSPECIFIED;
  if (region !== RegionCode.REGION_CODE_UNSPECIFIED && region !== RegionCode.US)
    throw invalidField('environment.region_code', 'a deployment is in one region', 'supported');
  const mode = authenticationMode ?? AuthenticationMode.AUTHENTICATION_MODE_UNSPECIFIED;
  if (
    mode !== AuthenticationMode.AUTHENTICATION_MODE_UNSPECIFIED &&
    mode !== AuthenticationMode.FULL_STACK_AUTH
  )
    throw invalidField(
      'environment.authentication_mode',
      'every environment is of FULL_STACK_AUTH',
      'supported',
    );
}

/** A server for production has no environment that is less strict (AS-38, AS-152). */
function kindOf(ctx: Ctx, { type }: CreateEnvironment): Environment['kind'] {
  const serves = ctx.config.mode === 'serve';
  switch (type ?? EnvironmentType.ENVIRONMENT_TYPE_UNSPECIFIED) {
    case EnvironmentType.ENVIRONMENT_TYPE_UNSPECIFIED:
      return serves ? 'PRODUCTION' : 'DEVELOPMENT';
    case EnvironmentType.PRD:
      return 'PRODUCTION';
    case EnvironmentType.DEV:
      if (!serves) return 'DEVELOPMENT';
      throw invalidField('environment.type', 'this server is for production: PRD', 'supported');
    default:
      throw invalidField('environment.type', 'must be PRD or DEV', 'enum.defined_only');
  }
}
