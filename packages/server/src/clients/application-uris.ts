import { environmentOf } from '../environments/environments.ts';
import { redirectKind, redirectUriProblem } from '../oauth/redirect-uri.ts';
import type { Ctx } from '../runtime/context.ts';
import { fetchUrlProblem } from '../runtime/safe-fetch-url.ts';
import type { InvalidMember } from './client-input.ts';

/** What the contract calls a client of the environment: its own, or an application on a server, in a browser, on a device. */
export type ApplicationType = 'ENV' | 'WEB_APP' | 'SPA' | 'NTV';

const LONGEST_URI = 256;
const MOST = {
  post_login_uris: 5,
  post_logout_redirect_uris: 20,
  back_channel_logout_uris: 5,
} as const;

/** With https too, so that nobody leaves a test address in production; names below `localhost` are this machine (RFC 6761). */
const ON_THIS_MACHINE =
  /^https:\/\/(?:(?:[^/?#]+\.)?localhost\.?|127(?:\.[0-9]+){3}|\[::1\])(?:[:/]|$)/i;

/** Absent ones are not spoken of. */
export type ApplicationUris = {
  readonly postLoginUris?: readonly string[] | undefined;
  readonly postLogoutRedirectUris?: readonly string[] | undefined;
  readonly backChannelLogoutUris?: readonly string[] | undefined;
  readonly initiateLoginUri?: string | undefined;
};

/** The first address that an application cannot have (FSA-7, FSA-8, AS-53). */
export async function applicationUriProblem(
  ctx: Ctx,
  type: ApplicationType,
  uris: ApplicationUris,
): Promise<InvalidMember | undefined> {
  const { kind } = await environmentOf(ctx);
  const browser = (uri: string): string | undefined => browserUriProblem(uri, type, kind);
  const { postLoginUris, postLogoutRedirectUris, backChannelLogoutUris, initiateLoginUri } = uris;
  const problem =
    listProblem('post_login_uris', postLoginUris ?? [], browser) ??
    listProblem('post_logout_redirect_uris', postLogoutRedirectUris ?? [], browser) ??
    listProblem('back_channel_logout_uris', backChannelLogoutUris ?? [], (uri) =>
      backChannelProblem(ctx, uri, type),
    );
  if (problem || initiateLoginUri === undefined || initiateLoginUri === '') return problem;
  const description = browser(initiateLoginUri);
  return description === undefined
    ? undefined
    : { kind: 'invalid', field: 'initiate_login_uri', description };
}

function listProblem(
  field: keyof typeof MOST,
  uris: readonly string[],
  problemOf: (uri: string) => string | undefined,
): InvalidMember | undefined {
  if (uris.length > MOST[field])
    return { kind: 'invalid', field, description: `at most ${MOST[field]}` };
  for (const [index, uri] of uris.entries()) {
    const description = problemOf(uri);
    if (description !== undefined)
      return { kind: 'invalid', field: `${field}[${index}]`, description };
  }
  return undefined;
}

/** Where a browser is sent. In production only an application on a device may be reached at a loopback address (RFC 8252). */
function browserUriProblem(
  uri: string,
  type: ApplicationType,
  kind: 'DEVELOPMENT' | 'PRODUCTION',
): string | undefined {
  if (uri.length > LONGEST_URI) return `it has more than ${LONGEST_URI} characters`;
  const problem = redirectUriProblem(uri, { privateUseSchemes: 'allow' });
  if (problem !== undefined) return problem;
  if (uri.includes('?')) return 'it has a query';
  if (kind === 'DEVELOPMENT') return undefined;
  if (ON_THIS_MACHINE.test(uri)) return 'loopback addresses are for development';
  if (redirectKind(uri) !== 'loopback') return undefined;
  if (type !== 'NTV') return 'http and loopback addresses are for development';
  return /^http:\/\/localhost\b/.test(uri)
    ? 'localhost is for development; 127.0.0.1 and [::1] are accepted'
    : undefined;
}

/** This server calls it, so it must be one that this server may call. */
function backChannelProblem(ctx: Ctx, uri: string, type: ApplicationType): string | undefined {
  if (type === 'SPA' || type === 'NTV') return 'only an application on a server can be called';
  if (uri.length > LONGEST_URI) return `it has more than ${LONGEST_URI} characters`;
  return fetchUrlProblem(uri, { allowLoopback: ctx.config.allowLoopbackClients });
}
