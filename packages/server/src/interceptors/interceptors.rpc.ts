import type { JsonObject } from '@bufbuild/protobuf';
import {
  AuthConfigType,
  type CreateInterceptor,
  FailurePolicy,
  type InterceptorService,
  InterceptorType,
  TriggerPoint,
  type UpdateInterceptor,
} from '@gatewarden/contract/scalekit/v1/interceptors/interceptors_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import type { Ctx } from '../runtime/context.ts';
import { tryInterceptor } from './intercept.ts';
import {
  HIDDEN,
  interceptorChange,
  newInterceptor,
  type SentInterceptor,
} from './interceptor-input.ts';
import {
  countInterceptors,
  findInterceptor,
  type Interceptor,
  type InterceptorAuth,
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
    const made = await createInterceptor(ctx, newInterceptor(ctx, sentOf(sent)));
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
      interceptorChange(ctx, sentOf(sent), current),
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
    if (!canBeShown(tried.answer))
      return {
        error: { code: 'MALFORMED', message: 'the answer has texts that are none, or no end' },
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

/** Deeper than anybody writes, and far from where reading it by recursion ends. */
const DEEPEST = 100;

/** JSON may have halves of characters and any depth; answers of ours may not. */
function canBeShown(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  if (depth >= DEEPEST) return false;
  return Object.entries(value).every(
    ([name, inner]) => name.isWellFormed() && canBeShown(inner, depth + 1),
  );
}

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

/** What was sent, in our own words. */
function sentOf(sent: CreateInterceptor | UpdateInterceptor): SentInterceptor {
  const { displayName, description, apiUrl, timeoutMs, requestTemplate, responseTemplate } = sent;
  const config = sent.config?.authConfig;
  const auth = config?.authConfig;
  return {
    displayName,
    description,
    apiUrl,
    timeoutMs,
    requestTemplate,
    responseTemplate,
    triggerPoint: sent.triggerPoint === undefined ? undefined : triggerPointName(sent.triggerPoint),
    failurePolicy:
      sent.failurePolicy === undefined
        ? undefined
        : sent.failurePolicy === FailurePolicy.FAIL_OPEN
          ? 'FAIL_OPEN'
          : 'FAIL_CLOSED',
    config: sent.config && {
      authConfig: config && {
        type:
          config.authConfigType === AuthConfigType.API_KEY
            ? 'API_KEY'
            : config.authConfigType === AuthConfigType.OAUTH2
              ? 'OAUTH2'
              : '',
        ...(auth?.case === 'apiKey' && { apiKey: auth.value }),
        ...(auth?.case === 'oauth2' && { oauth2: auth.value }),
      },
    },
  };
}

/** An interceptor as the contract has it; secrets that somebody gave are hidden. */
export function interceptorMessage(interceptor: Interceptor) {
  const { id, displayName, description, enabled, secretId, secretSuffix } = interceptor;
  return {
    id,
    displayName,
    description,
    triggerPoint: triggerPointOf(interceptor.triggerPoint),
    interceptorType: InterceptorType.AUTH,
    apiUrl: interceptor.url,
    timeoutMs: BigInt(interceptor.timeoutMs),
    failurePolicy: interceptor.failOpen ? FailurePolicy.FAIL_OPEN : FailurePolicy.FAIL_CLOSED,
    secretId,
    secretSuffix,
    enabled,
    createdAt: timestampOf(interceptor.createdAt),
    updatedAt: timestampOf(interceptor.updatedAt),
    ...(interceptor.auth && { config: { authConfig: authMessage(interceptor.auth) } }),
    ...(interceptor.lastExecutedAt && { lastExecutedAt: timestampOf(interceptor.lastExecutedAt) }),
  };
}

function authMessage(auth: InterceptorAuth) {
  if (auth.kind === 'api-key')
    return {
      authConfigType: AuthConfigType.API_KEY,
      authConfig: {
        case: 'apiKey' as const,
        value: { apiKey: HIDDEN, headerName: auth.headerName },
      },
    };
  const { tokenUrl, clientId, scope } = auth;
  return {
    authConfigType: AuthConfigType.OAUTH2,
    authConfig: {
      case: 'oauth2' as const,
      value: { tokenUrl, clientId, clientSecret: HIDDEN, scope },
    },
  };
}

function triggerPointOf(name: string): TriggerPoint {
  const found = Object.entries(TriggerPoint).find(([known]) => known === name)?.[1];
  if (found === undefined) throw new Error(`"${name}" is no trigger point`);
  return found;
}

/** Its name as it is stored and sent. */
export function triggerPointName(value: TriggerPoint): string {
  const found = Object.entries(TriggerPoint).find(([, known]) => known === value)?.[0];
  if (found === undefined) throw new Error(`${value} is no trigger point`);
  return found;
}
