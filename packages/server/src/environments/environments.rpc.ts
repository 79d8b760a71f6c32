import type { MessageInitShape } from '@bufbuild/protobuf';
import { EnvironmentType, RegionCode } from '@gatewarden/contract/scalekit/v1/commons/commons_pb';
import type {
  EnvironmentSchema,
  EnvironmentService,
} from '@gatewarden/contract/scalekit/v1/environments/environments_pb';
import type { Call, Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { checkName, environmentMembers } from './environment-members.ts';
import { checkOwnEnvironment, noSuchEnvironment } from './environment-outcome.ts';
import type { Environment } from './environments.store.ts';
import { changeEnvironment } from './environments.ts';
import {
  countVisibleEnvironments,
  findVisibleEnvironment,
  listVisibleEnvironments,
  type Viewer,
} from './visible-environments.store.ts';

const MOST_LISTED = 100;

/** The environments of the deployment. Each is changed at its own host; operators see all that they are operators of. */
export const environmentsRpc: Slice<typeof EnvironmentService> = {
  async getEnvironment(ctx, { id }, call) {
    checkId('id', id, 'env');
    const found = await findVisibleEnvironment(ctx.db, { ...viewerOf(ctx, call), id });
    if (!found) throw noSuchEnvironment();
    return { environment: messageOf(found) };
  },

  async listEnvironment(ctx, request, call) {
    if (request.pageSize > MOST_LISTED)
      throw invalidField('page_size', `must be at most ${MOST_LISTED}`, 'uint32.lte');
    const viewer = viewerOf(ctx, call);
    const list = `environments ${viewer.operatorId ?? ''}`;
    const page = readPage(ctx, list, request);
    const rows = await listVisibleEnvironments(ctx.db, { ...viewer, page });
    const { items, nextPageToken } = pageOf(ctx, list, page, rows);
    return {
      nextPageToken,
      totalSize: await countVisibleEnvironments(ctx.db, viewer),
      environments: items.map(messageOf),
    };
  },

  async updateEnvironment(ctx, { id, environment }) {
    checkOwnEnvironment(ctx, id);
    if (!environment) throw invalidField('environment', 'is missing', 'required');
    const { displayName } = environment;
    if (displayName !== undefined) checkName(displayName);
    const changed = await changeEnvironment(
      ctx,
      'environment.updated',
      (current) => ({ displayName: displayName ?? current.displayName }),
      (written) => ({ display_name: written.displayName }),
    );
    return { environment: messageOf(changed) };
  },
};

function messageOf(environment: Environment): MessageInitShape<typeof EnvironmentSchema> {
  return {
    ...environmentMembers(environment),
    regionCode: RegionCode.US,
    type: environment.kind === 'PRODUCTION' ? EnvironmentType.PRD : EnvironmentType.DEV,
  };
}

function viewerOf({ environmentId }: Ctx, { caller }: Call): Viewer {
  return {
    environmentId,
    operatorId: caller.kind === 'operator' ? caller.operatorId : undefined,
  };
}
