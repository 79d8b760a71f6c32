import { checkText, invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { fetchUrlProblem } from '../runtime/safe-fetch-url.ts';
import type { Interceptor, InterceptorAuth } from './interceptors.store.ts';
import type { InterceptorChange, InterceptorInput } from './interceptors.ts';

/** What a caller sends of an interceptor; enumerations by their names. */
export type SentInterceptor = {
  readonly displayName?: string | undefined;
  readonly description?: string | undefined;
  readonly triggerPoint?: string | undefined;
  readonly apiUrl?: string | undefined;
  readonly timeoutMs?: bigint | undefined;
  readonly failurePolicy?: string | undefined;
  readonly requestTemplate?: string | undefined;
  readonly responseTemplate?: string | undefined;
  readonly config?: SentConfig | undefined;
};
type SentConfig = {
  readonly authConfig?:
    | { readonly type: string; readonly apiKey?: SentApiKey; readonly oauth2?: SentOauth2 }
    | undefined;
};
type SentApiKey = { readonly apiKey: string; readonly headerName: string };
type SentOauth2 = {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string;
};

/** How a secret is shown that was given once: nobody can send this for a new one by accident. */
export const HIDDEN = '********';

const DEFAULT_TIMEOUT_MS = 10_000;
/** A header's name, not one that the request has anyway (RFC 9110 §5.6.2). */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,255}$/;
const TAKEN_HEADER =
  /^(host|content-.*|transfer-encoding|connection|te|trailer|upgrade|expect|accept.*|user-agent|cookie|proxy-.*|interceptor-.*|webhook-.*)$/i;
/** Visible characters: what goes into a header's value. */
const HEADER_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** @throws {ApiError} invalid_argument */
export function newInterceptor(ctx: Ctx, sent: SentInterceptor): InterceptorInput {
  const { displayName = '', description = '' } = sent;
  checkText('interceptor.', { display_name: displayName, description });
  refuseTemplates(sent);
  if (sent.apiUrl === undefined)
    throw invalidField('interceptor.api_url', 'is missing', 'required');
  if (sent.failurePolicy === undefined)
    throw invalidField(
      'interceptor.failure_policy',
      'is missing: FAIL_OPEN or FAIL_CLOSED',
      'required',
    );
  return {
    displayName,
    description,
    triggerPoint: askedPoint(sent.triggerPoint ?? ''),
    url: checkedUrl(ctx, 'interceptor.api_url', sent.apiUrl),
    timeoutMs: Number(sent.timeoutMs ?? DEFAULT_TIMEOUT_MS),
    failOpen: sent.failurePolicy === 'FAIL_OPEN',
    ...authOf(ctx, sent.config, undefined),
  };
}

/** @throws {ApiError} invalid_argument */
export function interceptorChange(
  ctx: Ctx,
  sent: SentInterceptor,
  current: Interceptor,
): InterceptorChange {
  checkText('interceptor.', {
    display_name: sent.displayName ?? '',
    description: sent.description ?? '',
  });
  refuseTemplates(sent);
  if (sent.displayName === '')
    throw invalidField('interceptor.display_name', 'must not be empty', 'string.min_len');
  const change = {
    ...(sent.displayName !== undefined && { displayName: sent.displayName }),
    ...(sent.description !== undefined && { description: sent.description }),
    ...(sent.triggerPoint !== undefined && { triggerPoint: askedPoint(sent.triggerPoint) }),
    ...(sent.apiUrl !== undefined && {
      url: checkedUrl(ctx, 'interceptor.api_url', sent.apiUrl),
    }),
    ...(sent.timeoutMs !== undefined && { timeoutMs: Number(sent.timeoutMs) }),
    ...(sent.failurePolicy !== undefined && {
      failOpen: sent.failurePolicy === 'FAIL_OPEN',
    }),
    ...(sent.config && authOf(ctx, sent.config, current)),
  };
  checkSameHost(change, current);
  return change;
}

/** Another host gets nothing that was given for this one: whoever may change interceptors could have it sent to themselves. */
function checkSameHost(change: InterceptorChange, current: Interceptor): void {
  const { url = current.url, authSecret } = change;
  const auth = 'auth' in change ? change.auth : current.auth;
  const keeps = auth !== undefined && authSecret === undefined;
  if (keeps && new URL(url).origin !== new URL(current.url).origin)
    throw invalidField(
      'interceptor.config',
      'has to be given again with its secret, since it goes to another host',
      'required',
    );
}

/** The contract does not say what a template means, so none is taken rather than stored and ignored. */
function refuseTemplates(sent: {
  readonly requestTemplate?: string | undefined;
  readonly responseTemplate?: string | undefined;
}): void {
  for (const [name, value] of [
    ['request_template', sent.requestTemplate],
    ['response_template', sent.responseTemplate],
  ] as const)
    if (value)
      throw invalidField(
        `interceptor.${name}`,
        'this server sends and takes no templates',
        'value',
      );
}

/** One that this server asks at; another would be set up and never called. */
function askedPoint(name: string): string {
  if (name === 'ACCESS_TOKEN_CREATION')
    throw invalidField(
      'interceptor.trigger_point',
      'nothing is asked then: PRE_SESSION_CREATION and PRE_M2M_TOKEN_CREATION decide about claims',
      'enum.defined_only',
    );
  return name;
}

function checkedUrl(ctx: Ctx, field: string, url: string): string {
  const problem = fetchUrlProblem(url, { allowLoopback: ctx.config.allowLoopbackClients });
  if (problem !== undefined) throw invalidField(field, `nothing is sent there: ${problem}`, 'url');
  if (new URL(url).host === new URL(ctx.issuer).host)
    throw invalidField(field, 'nothing is sent there: it is this server itself', 'url');
  return url;
}

type Auth = { auth: InterceptorAuth | undefined; authSecret: string | undefined };

/** A config without authentication takes away what there was. The hidden form of a secret leaves it as it is. */
function authOf(ctx: Ctx, config: SentConfig | undefined, current: Interceptor | undefined): Auth {
  const sent = config?.authConfig;
  const field = 'interceptor.config.auth_config';
  if (!sent) return { auth: undefined, authSecret: undefined };
  if (sent.apiKey) {
    if (sent.type !== 'API_KEY')
      throw invalidField(`${field}.auth_config_type`, 'must be API_KEY with api_key', 'value');
    const { apiKey, headerName } = sent.apiKey;
    if (!HEADER_NAME.test(headerName) || TAKEN_HEADER.test(headerName))
      throw invalidField(`${field}.api_key.header_name`, 'is no header of your own', 'header');
    if (!HEADER_VALUE.test(apiKey))
      throw invalidField(`${field}.api_key.api_key`, 'must be visible ASCII characters', 'header');
    const auth = { kind: 'api-key', headerName } as const;
    return { auth, authSecret: secretOf(`${field}.api_key.api_key`, apiKey, auth, current) };
  }
  if (!sent.oauth2) throw invalidField(field, 'must have api_key or oauth2', 'oneof.required');
  if (sent.type !== 'OAUTH2')
    throw invalidField(`${field}.auth_config_type`, 'must be OAUTH2 with oauth2', 'value');
  const { tokenUrl, clientId, clientSecret, scope } = sent.oauth2;
  checkText(`${field}.oauth2.`, { client_id: clientId, client_secret: clientSecret, scope });
  const auth = {
    kind: 'oauth2',
    tokenUrl: checkedUrl(ctx, `${field}.oauth2.token_url`, tokenUrl),
    clientId,
    scope,
  } as const;
  const secretField = `${field}.oauth2.client_secret`;
  return { auth, authSecret: secretOf(secretField, clientSecret, auth, current) };
}

/**
 * Undefined: the secret stays. It may only stay where it goes to the place it was given for: with another token URL, whoever
 * may change interceptors could have it sent to themselves.
 */
function secretOf(
  field: string,
  sent: string,
  auth: InterceptorAuth,
  current: Interceptor | undefined,
): string | undefined {
  if (sent !== HIDDEN) return sent;
  const before = current?.auth;
  const same =
    (auth.kind === 'api-key' && before?.kind === 'api-key') ||
    (auth.kind === 'oauth2' && before?.kind === 'oauth2' && before.tokenUrl === auth.tokenUrl);
  if (!same) throw invalidField(field, 'has to be given again', 'required');
  return undefined;
}
