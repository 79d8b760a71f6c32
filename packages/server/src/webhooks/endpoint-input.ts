import { catalogued } from '../events/catalogue.ts';
import { ApiError } from '../http/api-error.ts';
import { checkText, invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { fetchUrlProblem } from '../runtime/safe-fetch-url.ts';
import type { EndpointMembers } from './endpoints.store.ts';

const ALL = '*';

type Sent = {
  readonly url: string;
  readonly description: string;
  readonly eventTypes: readonly string[];
};

/**
 * The members of an endpoint, as far as they are named.
 *
 * @throws {ApiError} invalid_argument: an address that is not sent to (FSA-84), a type that is not in the catalogue (FSA-82)
 */
export function endpointMembers(
  ctx: Ctx,
  sent: Sent,
  named: ReadonlySet<string>,
): Partial<EndpointMembers> {
  checkText('endpoint.', { description: sent.description });
  return {
    ...(named.has('url') && { url: checkedUrl(ctx, sent.url) }),
    ...(named.has('description') && { description: sent.description }),
    ...(named.has('event_types') && checkedTypes(sent.eventTypes)),
  };
}

function checkedUrl(ctx: Ctx, url: string): string {
  if (url === '') throw invalidField('endpoint.url', 'is missing', 'required');
  const { allowLoopbackClients: allowLoopback, webhookHosts: trustedHosts } = ctx.config;
  const problem = fetchUrlProblem(url, { allowLoopback, trustedHosts });
  if (problem !== undefined)
    throw invalidField('endpoint.url', `nothing is sent there: ${problem}`, 'url');
  if (new URL(url).host === new URL(ctx.issuer).host)
    throw invalidField('endpoint.url', 'nothing is sent there: it is this server itself', 'url');
  return url;
}

function checkedTypes(types: readonly string[]): Pick<EndpointMembers, 'allTypes' | 'eventTypes'> {
  types.forEach((type, index) => {
    if (type !== ALL && !catalogued(type))
      throw invalidField(`event_types[${index}]`, 'is not a type of event that is delivered', 'in');
  });
  const named = [...new Set(types)].filter((type) => type !== ALL);
  return { allTypes: named.length === 0 || types.includes(ALL), eventTypes: named };
}

/** An endpoint of another environment looks like none. */
export function noSuchEndpoint(): ApiError {
  return new ApiError(
    'not_found',
    'WEBHOOK_ENDPOINT_NOT_FOUND',
    'there is no such webhook endpoint',
  );
}
