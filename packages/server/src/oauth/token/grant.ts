import type { Client } from '../../clients/clients.ts';
import type { Event } from '../../events/events.ts';
import type { AuthMethod } from '../../grants/grants.store.ts';
import type { PartnerClaims } from '../../grants/live-state.store.ts';
import type { Parameters } from '../../http/forms.ts';
import type { Issuer } from '../../mcp/issuer.ts';
import type { McpServer } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import type { CustomClaims } from '../custom-claims.ts';
import { OAuthError } from '../oauth-error.ts';

/** One grant type: data, and the function that decides. The endpoint does what all grants share, so that none can forget it. */
export type GrantType = {
  readonly name: string;
  /** Whether this client may use it at all (AS-88). */
  readonly allows: (client: Client, method: AuthMethod) => boolean;
  /**
   * Makes every check and reads what it needs, but uses nothing up. A refusal may end a grant that is proven stolen.
   *
   * @throws {OAuthError} the refusal
   */
  readonly authorize: (ctx: Ctx, request: GrantRequest) => Promise<Authorization>;
};

/** A request of an authenticated client. */
export type GrantRequest = {
  readonly at: Issuer;
  readonly client: Client;
  readonly method: AuthMethod;
  readonly form: Parameters;
  readonly trail: Trail;
};

/** What is known of a request as it goes on, for its event (AS-140). No decision reads it. */
export type Trail = {
  grantType?: string | undefined;
  clientId?: string | undefined;
  flowId?: string | undefined;
  userId?: string | undefined;
  grantId?: string | undefined;
  mcpServerId?: string | undefined;
  organizationId?: string | undefined;
};

/** A trail in the names of an event. */
export function facts({ grantType: _, ...known }: Trail): Omit<Trail, 'grantType'> {
  return known;
}

/** A decision to issue: what goes into the tokens, and the one step that makes it true. */
export type Authorization = {
  readonly subject: string;
  readonly scopes: readonly string[];
  /** Absent for tokens of an application or of the management API. */
  readonly mcpServer: McpServer | undefined;
  /** An empty list: tokens without `aud`, of an organization's machine that was given none. */
  readonly audience: string | readonly string[];
  readonly lifetimeSeconds: number;
  /** Opaque names under which the token can be revoked (AS-124). */
  readonly revocationHandles: readonly string[];
  /** Absent for machines. */
  readonly person: Person | undefined;
  readonly organizationId: string | undefined;
  /** Claims of the application's own, within the limits of AS-151. @default none */
  readonly customClaims?: CustomClaims | undefined;
  /** Of a person whom an application's own login vouches for. */
  readonly partner?: PartnerClaims | undefined;
  readonly idToken:
    | { readonly nonce: string | undefined; readonly code: string | undefined }
    | undefined;
  /**
   * The gate, after everything is signed: uses the code or rotates the token and writes the event, in one statement.
   *
   * @throws {OAuthError} somebody else was faster
   */
  readonly commit: (event: Event) => Promise<{ readonly refreshToken: string | undefined }>;
};

export type Person = {
  readonly sessionId: string;
  readonly authenticatedAt: Date;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly name: string;
};

/** @throws {OAuthError} invalid_request: the parameter is missing (RFC 6749 section 5.2) */
export function required(form: Parameters, name: string): string {
  const value = form.params[name];
  if (value === undefined) throw new OAuthError('invalid_request', `${name} is missing`);
  return value;
}

/** @throws {OAuthError} invalid_request: a parameter, or one of these, occurs more than once (RFC 6749 section 3.2) */
export function refuseRepeated(form: Parameters, names: readonly string[] = form.duplicates): void {
  if (form.duplicates.some((name) => names.includes(name)))
    throw new OAuthError('invalid_request', 'a parameter occurs more than once');
}
