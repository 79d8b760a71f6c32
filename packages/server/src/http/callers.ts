import { type DescMethod, getOption } from '@bufbuild/protobuf';
import {
  AuthenticationType,
  auth_option,
} from '@gatewarden/contract/scalekit/v1/options/options_pb';
import type { Actor, Ctx } from '../runtime/context.ts';
import { ApiError } from './api-error.ts';
import { mayUse } from './caller-rules.ts';

/** Who makes a management call. */
export type Caller =
  | { readonly kind: 'anonymous' }
  /** A client of the environment, with a token of its own. */
  | { readonly kind: 'environment-client'; readonly clientId: string }
  /** A person who runs the environment, signed in to its console. */
  | { readonly kind: 'operator'; readonly operatorId: string; readonly role: OperatorRole }
  /** A person signed in on the hosted pages, who may do for the own organization what their roles permit. */
  | {
      readonly kind: 'session';
      readonly sessionId: string;
      readonly userId: string;
      /** The one the session is open in, if the person is an active member of it. */
      readonly organizationId: string | undefined;
      /** What the person's roles in that organization permit. */
      readonly permissions: ReadonlySet<string>;
    }
  /** Whoever opened a link to the administration portal of an organization. */
  | {
      readonly kind: 'portal';
      readonly portalSessionId: string;
      readonly organizationId: string;
      /** What the link is for and the organization has: `sso`, `dir_sync` … */
      readonly features: ReadonlySet<string>;
    };

/** What an operator may do: `docs/operators.md` says it. */
export type OperatorRole = 'owner' | 'admin' | 'viewer';

/**
 * Proves who calls, from the one `authorization` of the headers.
 *
 * @throws {ApiError} unauthenticated: no token, or one that is malformed, unknown or expired
 * @throws {ApiError} permission_denied: a good token of somebody who may not use this API
 */
export type AuthenticateCaller = (
  ctx: Ctx,
  headers: Headers,
  method: DescMethod,
) => Promise<Caller>;

/** What a call says of who makes it. */
export type Proofs = {
  readonly header: Headers;
  /** Every `authorization`: some libraries send two. */
  readonly authorizations: readonly string[];
  /**
   * Proves the caller by the cookies of a page of ours; undefined when the call does not say that it comes from one.
   *
   * @throws {ApiError} unauthenticated: it does not come from one, or nobody is signed in there
   */
  readonly byPage: (ctx: Ctx) => Promise<Caller | undefined>;
};

/** Whose change it is, for the audit log. */
export function actorOf(caller: Caller): Actor | undefined {
  switch (caller.kind) {
    case 'anonymous':
      return undefined;
    case 'environment-client':
      return { kind: 'environment-client', id: caller.clientId };
    case 'operator':
      return { kind: 'operator', id: caller.operatorId };
    case 'session':
      return { kind: 'user', id: caller.userId };
    case 'portal':
      return { kind: 'portal', id: caller.portalSessionId };
  }
}

/** The bits of `auth_option` that let a kind of caller in. */
const BITS: Readonly<Record<Caller['kind'], number>> = {
  anonymous: AuthenticationType.NONE,
  'environment-client': AuthenticationType.CLIENT,
  operator: AuthenticationType.WORKSPACE,
  session: AuthenticationType.SESSION | AuthenticationType.USER,
  portal: AuthenticationType.CUSTOMER_PORTAL,
};

/** Some libraries send the token twice, and one of the two may be old. */
const MOST_TRIED = 2;

/**
 * Whether this call may be made: by the contract's own word on each method, and by what the rules say of this caller. What
 * neither allows is refused, also to callers who proved who they are; but first of all they have to prove it.
 */
export async function admitCaller(
  ctx: Ctx,
  method: DescMethod,
  proofs: Proofs,
  authenticate: AuthenticateCaller,
): Promise<Caller> {
  const allowed = getOption(method, auth_option).authenticationType;
  if (allowed === AuthenticationType.NONE) return { kind: 'anonymous' };
  const caller = await proven(ctx, method, proofs, authenticate);
  const isKind = caller.kind !== 'anonymous' && (allowed & BITS[caller.kind]) !== 0;
  if (isKind && mayUse(caller, method)) return caller;
  throw new ApiError(
    'permission_denied',
    'PERMISSION_DENIED',
    'this caller may not use this method',
  );
}

/** A token decides alone where there is one: whatever else the browser adds is not looked at. */
async function proven(
  ctx: Ctx,
  method: DescMethod,
  { header, authorizations, byPage }: Proofs,
  authenticate: AuthenticateCaller,
): Promise<Caller> {
  const person = authorizations.length === 0 ? await byPage(ctx) : undefined;
  return person ?? (await firstThatCounts(ctx, method, header, authorizations, authenticate));
}

async function firstThatCounts(
  ctx: Ctx,
  method: DescMethod,
  headers: Headers,
  authorizations: readonly string[],
  authenticate: AuthenticateCaller,
): Promise<Caller> {
  const candidates = [...new Set(authorizations)].slice(0, MOST_TRIED);
  const withOne = (authorization: string | undefined): Headers => {
    const copy = new Headers(headers);
    copy.delete('authorization');
    if (authorization !== undefined) copy.set('authorization', authorization);
    return copy;
  };
  for (const candidate of candidates.slice(0, -1)) {
    try {
      return await authenticate(ctx, withOne(candidate), method);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'unauthenticated') throw error;
    }
  }
  return await authenticate(ctx, withOne(candidates.at(-1)), method);
}
