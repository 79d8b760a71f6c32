import type { Change, Names, ReferenceServer } from './good-server.ts';
import { type Answer, empty } from './http.ts';

/** The parts of an examination, in their order. */
export type Step =
  | 'reach'
  | 'challenge'
  | 'resource-metadata'
  | 'authorization-server'
  | 'keys'
  | 'registration'
  | 'cors'
  | 'transport'
  | 'login';

/** One mistake, made in an otherwise correct server. */
export type Fault = {
  /** The finding that names it. */
  readonly id: string;
  /** Its own name, where several mistakes have the same finding. */
  readonly name?: string;
  readonly step: Step;
  /** What is wrong with the server, in one sentence. */
  readonly wrong: string;
  /** Where somebody met it. */
  readonly seen?: string;
  readonly change?: Change;
  /** The server is reached by these names. */
  readonly names?: Names;
  readonly selfSigned?: true;
  /** Shows only to somebody who signs in. */
  readonly login?: true;
  /** True of the faulty server and false of the good one: the mistake can be seen from outside. */
  readonly visible: (at: ReferenceServer) => Promise<boolean>;
};

/** Addresses of a server on the internet. */
export const PUBLIC: Names = {
  resource: 'https://mcp.example.test',
  authorization: 'https://login.example.test',
};

export function nameOf({ id, name }: Fault): string {
  return name ?? id;
}

/** The answer with some headers set, or removed where the value is undefined. */
export function withHeaders(
  answer: Answer,
  changes: Readonly<Record<string, string | undefined>>,
): Answer {
  const headers = new Map(Object.entries(answer.headers));
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) headers.delete(name);
    else headers.set(name, value);
  }
  return { ...answer, headers: Object.fromEntries(headers) };
}

/** A change that only replaces the challenge of a 401. */
export function challenge(
  build: (good: string, resourceOrigin: string) => string | undefined,
): Change {
  return ({ parts, place }) => ({
    refuse: (refusal) => {
      const answer = parts.refuse(refusal);
      if (answer.status !== 401) return answer;
      const good = answer.headers['www-authenticate'] ?? '';
      return withHeaders(answer, { 'www-authenticate': build(good, place.resourceOrigin) });
    },
  });
}

/** A change of some members of the protected resource metadata; undefined removes one. */
export function resourceMembers(
  members: (place: { issuer: string; mcp: string }) => Readonly<Record<string, unknown>>,
): Change {
  return ({ parts, place }) => ({
    resourceMetadata: () => ({ ...parts.resourceMetadata(), ...members(place) }),
  });
}

/** A change of some members of the authorization server metadata; undefined removes one. */
export function serverMembers(
  members: (place: { issuer: string; issuerOrigin: string }) => Readonly<Record<string, unknown>>,
): Change {
  return ({ parts, place }) => ({
    serverMetadata: () => ({ ...parts.serverMetadata(), ...members(place) }),
  });
}

export function redirectTo(location: string): Answer {
  return empty(307, { location });
}
