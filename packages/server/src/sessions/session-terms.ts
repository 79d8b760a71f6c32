import { environmentOf } from '../environments/environments.ts';
import type { Ctx } from '../runtime/context.ts';
import { listOwnOrganizations } from './session-terms.store.ts';

/** How long a new session may live, and where it is open. */
export type SessionTerms = {
  /** Of a person who belongs to exactly one. */
  readonly organizationId: string | undefined;
  /** Absent: being idle ends nothing. */
  readonly idleSeconds: number | undefined;
  readonly absoluteSeconds: number;
};

/** Times in minutes. */
type Times = {
  readonly absoluteMinutes: number;
  readonly idleEnabled: boolean;
  readonly idleMinutes?: number | undefined;
};

/**
 * The shortest times of the environment's policy and those of all organizations that the person belongs to: one session serves
 * them all (FSA-40). What policies say later holds for later sessions.
 */
export async function sessionTerms(ctx: Ctx, userId: string): Promise<SessionTerms> {
  const { environmentId } = ctx;
  const own = await listOwnOrganizations(ctx.db, { environmentId, userId });
  const { settings } = await environmentOf(ctx);
  const policies: Times[] = [settings.sessionPolicy];
  for (const { sessionPolicy } of own) if (sessionPolicy) policies.push(sessionPolicy);
  const idle = policies.flatMap(({ idleEnabled, idleMinutes }) =>
    idleEnabled && idleMinutes !== undefined ? [idleMinutes] : [],
  );
  return {
    organizationId: own.length === 1 ? own[0]?.id : undefined,
    idleSeconds: idle.length === 0 ? undefined : Math.min(...idle) * 60,
    absoluteSeconds: Math.min(...policies.map(({ absoluteMinutes }) => absoluteMinutes)) * 60,
  };
}
