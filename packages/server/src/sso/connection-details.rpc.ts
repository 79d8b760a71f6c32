import type { JsonObject } from '@bufbuild/protobuf';
import {
  type ConnectionService,
  TestResultStatus,
} from '@gatewarden/contract/scalekit/v1/connections/connections_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, checkJson } from '../http/request-checks.ts';
import { noSuchOrganization } from '../organizations/organization-outcome.ts';
import { isInUse } from '../roles/permissions.store.ts';
import type { Ctx } from '../runtime/context.ts';
import {
  type ContextKey,
  findContext,
  findTestResult,
  writeContext,
} from './connection-details.store.ts';
import { noSuchConnection } from './connection-outcome.ts';

/** Characters of a context as JSON. */
const LONGEST_CONTEXT = 16_384;

/** What is known of a connection besides its configuration: how trying it out went, and notes of the pages about it. */
export const connectionDetailsRpc: Slice<typeof ConnectionService> = {
  async getConnectionTestResult(ctx, { connectionId, testRequestId }, { caller }) {
    checkId('connection_id', connectionId, 'conn');
    checkId('test_request_id', testRequestId, 'test');
    const { environmentId } = ctx;
    const organizationId = caller.kind === 'portal' ? caller.organizationId : undefined;
    const by = { environmentId, organizationId, connectionId, id: testRequestId };
    const result = await findTestResult(ctx.db, by);
    if (!result)
      throw new ApiError('not_found', 'TEST_REQUEST_NOT_FOUND', 'there is no such test request');
    const { status, userInfo, error, errorDescription, errorDetails } = result;
    return {
      status: TestResultStatus[status],
      ...(userInfo !== undefined && { userInfo: JSON.stringify(userInfo) }),
      ...(error !== undefined && { error }),
      ...(errorDescription !== undefined && { errorDescription }),
      ...(errorDetails !== undefined && { errorDetails }),
    };
  },

  async getConnectionContext(ctx, request) {
    const found = await findContext(ctx.db, keyOf(ctx, request));
    if (!found) throw noSuchConnection();
    return { context: found as JsonObject }; // it was one when it came
  },

  async updateConnectionContext(ctx, request) {
    const key = keyOf(ctx, request);
    const context = request.context ?? {};
    checkJson('context', context, LONGEST_CONTEXT);
    if (!(await written(ctx, key, context))) throw noSuchConnection();
    return {};
  },
};

type Named = { readonly connectionId: string; readonly organizationId: string };

function keyOf(ctx: Ctx, { connectionId, organizationId }: Named): ContextKey {
  checkId('connection_id', connectionId, 'conn');
  if (organizationId !== '') checkId('organization_id', organizationId, 'org');
  const { environmentId } = ctx;
  return { environmentId, connectionId, organizationId: organizationId || undefined };
}

async function written(ctx: Ctx, key: ContextKey, context: unknown): Promise<boolean> {
  try {
    return await writeContext(ctx.db, { ...key, context, now: ctx.now() });
  } catch (error) {
    if (isInUse(error)) throw noSuchOrganization();
    throw error;
  }
}
