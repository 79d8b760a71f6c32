import type { McpAuth } from './auth.ts';

/** Who may use which MCP session. Kept in the memory of this process. */
export type SessionBindings = {
  /** Whether this caller may use the session: it is theirs, or nobody's that this process knows of. */
  allows(session: string, caller: McpAuth): boolean;
  /** Gives the session to this caller, unless it has an owner: the first one stays. */
  bind(session: string, caller: McpAuth): void;
  /** Forgets the session. */
  release(session: string): void;
};

const sessionLimit = 100_000;
const sessionsPerSubject = 1_000;

/**
 * Binds sessions to (iss, sub, client_id, organization) of the caller (RS-48). The ones that were not used for
 * longest are forgotten first: those of the same person or machine above 1,000, so that nobody can push out
 * the sessions of others, and of all above 100,000.
 */
export function sessionBindings(
  limits: { readonly all: number; readonly perSubject: number } = {
    all: sessionLimit,
    perSubject: sessionsPerSubject,
  },
): SessionBindings {
  const owners = new Map<string, { readonly caller: string; readonly subject: string }>();
  const bySubject = new Map<string, Set<string>>();

  const release = (session: string): void => {
    const owner = owners.get(session);
    if (!owner) return;
    owners.delete(session);
    const theirs = bySubject.get(owner.subject);
    theirs?.delete(session);
    if (theirs?.size === 0) bySubject.delete(owner.subject);
  };
  const put = (session: string, owner: { caller: string; subject: string }): void => {
    release(session);
    owners.set(session, owner);
    const theirs = bySubject.get(owner.subject) ?? new Set();
    bySubject.set(owner.subject, theirs.add(session));
    if (theirs.size > limits.perSubject) releaseFirst(theirs);
    if (owners.size > limits.all) releaseFirst(owners.keys());
  };
  const releaseFirst = (sessions: Iterable<string>): void => {
    const [oldest] = sessions;
    if (oldest !== undefined) release(oldest);
  };

  return {
    allows(session, caller) {
      const owner = owners.get(session);
      if (!owner) return true;
      if (owner.caller !== nameOf(caller)) return false;
      put(session, owner); // the most recently used is the last to go
      return true;
    },
    bind(session, caller) {
      if (owners.has(session)) return;
      put(session, { caller: nameOf(caller), subject: subjectOf(caller) });
    },
    release,
  };
}

/** JSON, because no separator is forbidden in claims. The organization as it was signed: other issuers have numbers. */
function nameOf({ clientId, extra }: McpAuth): string {
  const { issuer, subject, claims } = extra;
  return JSON.stringify([issuer, subject, clientId, claims['org_id'] ?? claims['oid'] ?? '']);
}

function subjectOf({ extra }: McpAuth): string {
  return JSON.stringify([extra.issuer, extra.subject]);
}
