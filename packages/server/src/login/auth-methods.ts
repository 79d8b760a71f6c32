import { environmentOf } from '../environments/environments.ts';
import type { Ctx } from '../runtime/context.ts';
import type { ConnectionType } from '../sso/connection.ts';
import { findConnection, listConnectionsForDomain } from '../sso/connections.store.ts';
import type { EmailAddress } from '../users/email-address.ts';
import type { LoginRequest } from './login-requests.store.ts';
import { loginPath } from './login-requests.ts';
import { stepPath } from './visit.ts';

/** One way to sign in. */
export type AuthMethod = {
  readonly type: ConnectionType;
  readonly provider: string;
  /** Absent: the code and link by mail, which need no connection. */
  readonly connectionId?: string;
  /** Where it begins; absent as long as nothing answers there. */
  readonly initiationUri?: string;
};

/**
 * What one may use in a login. The people of an MCP server with its own sign-in have that and nothing else (SSO-66); everybody
 * else has the code and link by mail. Connections that this server does not sign people in with are not offered.
 */
export async function methodsOf(
  ctx: Ctx,
  login: LoginRequest,
  signUp: boolean,
): Promise<AuthMethod[]> {
  if (login.details.ownSignIn !== undefined) {
    const own = await ownSignInMethod(ctx, login, login.details.ownSignIn);
    return own ? [own] : [];
  }
  const { settings } = await environmentOf(ctx);
  return signUp && !settings.signUpAllowed ? [] : [emailMethod(ctx, login, signUp)];
}

/** The code and link by mail. It begins at the hosted page where the address is typed. */
function emailMethod(
  { issuer }: Pick<Ctx, 'issuer'>,
  login: LoginRequest,
  signUp: boolean,
): AuthMethod {
  return {
    type: 'PASSWORDLESS',
    provider: 'PASSWORDLESS',
    initiationUri: `${issuer}${stepPath(login, signUp ? 'sign-up' : 'email')}`,
  };
}

/**
 * Where people with an address sign in, by nothing but its domain: the answer is the same for every address of it, known or not
 * (FSA-20, FSA-22).
 *
 * @returns undefined: no organization has proven the domain, or none of its connections is in use
 */
export async function homeConnection(
  ctx: Ctx,
  login: LoginRequest,
  { key }: EmailAddress,
): Promise<AuthMethod | undefined> {
  const { ownSignIn } = login.details;
  if (ownSignIn !== undefined) return await ownSignInMethod(ctx, login, ownSignIn);
  const { db, environmentId } = ctx;
  const domain = key.slice(key.lastIndexOf('@') + 1);
  const [connection] = await listConnectionsForDomain(db, { environmentId, domain });
  if (!connection) return undefined;
  const { id, type, provider } = connection;
  return { connectionId: id, type, provider };
}

/** The login's own address sends the browser on to the application's page. */
async function ownSignInMethod(
  ctx: Ctx,
  login: LoginRequest,
  id: string,
): Promise<AuthMethod | undefined> {
  const { db, environmentId } = ctx;
  const connection = await findConnection(db, { environmentId, organizationId: undefined, id });
  if (!connection?.enabled || connection.settings.authorizeUri === undefined) return undefined;
  return {
    connectionId: id,
    type: connection.type,
    provider: connection.provider,
    initiationUri: `${ctx.issuer}${loginPath(login.id)}`,
  };
}
