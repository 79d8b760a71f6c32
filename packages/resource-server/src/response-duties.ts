import { rpcError, unknownSession } from './answers.ts';
import type { McpAuth } from './auth.ts';
import type { McpServer } from './mcp-server.ts';
import type { GuardRequest, Respond, ResponseDuties, ResponseHead } from './request.ts';
import { notFollowed } from './revocation-watch.ts';
import { afterMs } from './runtime/wait.ts';
import { hideTools } from './tool-list.ts';

const sessionHeader = 'mcp-session-id';

/** Refuses a session of somebody else exactly like one that does not exist (RS-48). */
export function checkSession(
  server: McpServer,
  request: GuardRequest,
  auth: McpAuth,
): Respond | undefined {
  if (!server.sessions) return undefined;
  const [session, ...others] = request.header(sessionHeader);
  if (session === undefined) return undefined;
  if (others.length > 0) return rpcError(400, -32600, 'Send one Mcp-Session-Id');
  if (server.sessions.allows(session, auth)) return undefined;
  server.runtime.log({
    level: 'info',
    event: 'session_refused',
    message: 'a caller used the session of another; it was answered as unknown',
    clientId: auth.clientId,
    subject: auth.extra.subject,
  });
  return unknownSession();
}

/** What is left to do while this request is answered. `body` is the one that was checked; undefined without one. */
export function responseDuties(
  server: McpServer,
  request: GuardRequest,
  auth: McpAuth,
  body: unknown,
): ResponseDuties {
  return {
    started: (head) => followSession(server, request, auth, head),
    untilOver: request.method === 'GET' ? endOfStream(server, auth) : undefined,
    rewrite: hideTools(server, request, auth, body),
  };
}

/**
 * A session belongs to the caller to whom it was given (RS-48). One that this process did not see created
 * belongs to the first caller for whom the handler accepted it.
 */
function followSession(
  { sessions }: McpServer,
  request: GuardRequest,
  auth: McpAuth,
  { status, header }: ResponseHead,
): void {
  const [sent] = request.header(sessionHeader);
  const session = header(sessionHeader) ?? sent;
  if (!session || status < 200 || status >= 300) return;
  if (request.method === 'DELETE') sessions?.release(session);
  else sessions?.bind(session, auth);
}

const marginMs = 60_000;

/**
 * A stream ends a minute before its token, so that the client has renewed it when it comes back (RS-49). One
 * that was opened within that minute ends with the token, or the client would open it over and over.
 */
function timeLeftMs(server: McpServer, auth: McpAuth): number {
  const leftMs = auth.expiresAt * 1_000 - server.runtime.now().getTime();
  return Math.max(leftMs > marginMs ? leftMs - marginMs : leftMs, 0);
}

/** How often an open stream's token is looked at again, where revocations are followed. */
const lookAgainMs = 2_000;

/** Ends a stream when its token is about to end (RS-49), and soon after it was revoked (RS-58). */
function endOfStream(server: McpServer, auth: McpAuth): ResponseDuties['untilOver'] {
  const followed = server.revocations !== notFollowed;
  if (!server.closeStreamOnExpiry && !followed) return undefined;
  return (end) => {
    let over = false;
    let cancelLook = (): void => undefined;
    const stop = (): void => {
      over = true;
      cancelLook();
      cancelExpiry();
    };
    const look = async (): Promise<void> => {
      const outcome = await server.checkToken(auth.token);
      if (over) return;
      // Also when nobody can say any more whether it was revoked: a new request would be refused then.
      if (outcome.kind !== 'valid') end();
      else cancelLook = afterMs(lookAgainMs, () => void look().catch(end));
    };
    const cancelExpiry = server.closeStreamOnExpiry
      ? afterMs(timeLeftMs(server, auth), end)
      : (): void => undefined;
    if (followed) cancelLook = afterMs(lookAgainMs, () => void look().catch(end));
    return stop;
  };
}
