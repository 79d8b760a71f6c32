import type { JsonObject } from '@bufbuild/protobuf';
import {
  type InterceptorService,
  InterceptorType,
} from '@gatewarden/contract/scalekit/v1/interceptors/interceptors_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { tryInterceptor } from './intercept.ts';
import { interceptorChange, newInterceptor } from './interceptor-input.ts';
import { interceptorMessage, triggerPointName } from './interceptor-message.ts';
import {
  countInterceptors,
  findInterceptor,
  type Interceptor,
  listInterceptorPage,
} from './interceptors.store.ts';
import {
  changeInterceptor,
  createInterceptor,
  deleteInterceptor,
  MOST_INTERCEPTORS,
} from './interceptors.ts';

/** Addresses of an application that decide while somebody signs in or a token is made (FSA-86 to FSA-88). */
export const interceptorsRpc: Slice<typeof InterceptorService> = {
  async createInterceptor(ctx, { interceptor: sent }) {
    if (!sent) throw invalidField('interceptor', 'is missing', 'required');
    if ((sent.interceptorType ?? InterceptorType.AUTH) !== InterceptorType.AUTH)
      throw invalidField('interceptor.interceptor_type', 'must be AUTH', 'enum.defined_only');
    const made = await createInterceptor(ctx, newInterceptor(ctx, sent));
    if (!made)
      throw new ApiError(
        'failed_precondition',
        'TOO_MANY_INTERCEPTORS',
        `an environment has at most ${MOST_INTERCEPTORS} interceptors`,
      );
    return { interceptor: interceptorMessage(made) };
  },

  async getInterceptor(ctx, { id }) {
    return { interceptor: interceptorMessage(await existing(ctx, id)) };
  },

  async listInterceptors(ctx, request) {
    const { db, environmentId } = ctx;
    const filter = {
      triggerPoint:
        request.triggerPoint === undefined ? undefined : triggerPointName(request.triggerPoint),
      enabled: request.enabled,
    };
    const list = `interceptors ${JSON.stringify(filter)}`;
    const page = readPage(ctx, list, request);
    const rows = await listInterceptorPage(db, { environmentId, filter, page });
    const { items, ...tokens } = pageOf(ctx, list, page, rows);
    return {
      ...tokens,
      totalSize: await countInterceptors(db, { environmentId, filter }),
      interceptors: items.map(interceptorMessage),
    };
  },

  async updateInterceptor(ctx, { id, interceptor: sent }) {
    checkId('id', id, 'icp');
    if (!sent) throw invalidField('interceptor', 'is missing', 'required');
    const changed = await changeInterceptor(ctx, id, (current) =>
      interceptorChange(ctx, sent, current),
    );
    if (!changed) throw noSuchInterceptor();
    return { interceptor: interceptorMessage(changed) };
  },

  async deleteInterceptor(ctx, { id }) {
    checkId('id', id, 'icp');
    if (!(await deleteInterceptor(ctx, id))) throw noSuchInterceptor();
    return {};
  },

  async enableInterceptor(ctx, { id }) {
    await turn(ctx, id, true);
    return {};
  },

  async disableInterceptor(ctx, { id }) {
    await turn(ctx, id, false);
    return {};
  },

  async testInterceptor(ctx, { id, data }) {
    const interceptor = await existing(ctx, id);
    if (!data) throw invalidField('data', 'is missing', 'required');
    const tried = await tryInterceptor(ctx, interceptor, data);
    if (tried.kind === 'failed')
      return {
        error: {
          code: tried.reason.toUpperCase().replaceAll('-', '_'),
          message: tried.detail.slice(0, 500),
        },
      };
    return {
      interceptorResponse: tried.answer as JsonObject, // parsed from JSON
      ...(tried.violations.length > 0 && {
        validationError: {
          fieldViolations: tried.violations.map((violation) => ({ ...violation })),
        },
      }),
    };
  },
};

async function turn(ctx: Ctx, id: string, enabled: boolean): Promise<void> {
  checkId('id', id, 'icp');
  if (!(await changeInterceptor(ctx, id, () => ({ enabled })))) throw noSuchInterceptor();
}

async function existing(ctx: Ctx, id: string): Promise<Interceptor> {
  checkId('id', id, 'icp');
  const found = await findInterceptor(ctx.db, { environmentId: ctx.environmentId, id });
  if (!found) throw noSuchInterceptor();
  return found;
}

function noSuchInterceptor(): ApiError {
  return new ApiError('not_found', 'INTERCEPTOR_NOT_FOUND', 'there is no such interceptor');
}
