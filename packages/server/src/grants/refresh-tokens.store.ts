import { type Event, eventSql } from '../events/events.ts';
import { type Db, sql } from '../storage/db.ts';
import {
  type AuthMethod,
  type Grant,
  type GrantRow,
  grantColumns,
  grantFrom,
} from './grants.store.ts';
import {
  type LiveRow,
  type LiveState,
  liveColumns,
  liveJoins,
  liveStateFrom,
} from './live-state.store.ts';

/** A refresh token as stored: never the token, only its hash (AS-108). */
export type RefreshToken = {
  readonly environmentId: string;
  readonly id: string;
  readonly generation: number;
  readonly idleExpiresAt: Date;
  readonly revokedAt: Date | undefined;
  /** Present when a rotation has retired it. */
  readonly retired: Retirement | undefined;
  readonly grant: Grant;
  readonly live: LiveState;
};

export type Retirement = {
  readonly at: Date;
  readonly graceEndsAt: Date;
  readonly method: AuthMethod;
  readonly network: string;
  readonly userAgent: string;
  /** From this token to the current one: what each rotation drew, in order. A missing salt has been erased. */
  readonly steps: readonly {
    readonly salt: Uint8Array | undefined;
    readonly keyId: string | undefined;
  }[];
  /** When the family's current token expires unused. */
  readonly currentIdleExpiresAt: Date | undefined;
};

type Row = LiveRow &
  GrantRow & {
    id: string;
    generation: number;
    idle_expires_at: Date;
    revoked_at: Date | null;
    retired_at: Date | null;
    grace_ends_at: Date | null;
    rotated_method: AuthMethod | null;
    rotated_network: string | null;
    rotated_user_agent: string | null;
    salts: (Uint8Array | null)[] | null;
    key_ids: (string | null)[] | null;
    current_idle_expires_at: Date | null;
  };

/** The token in whatever state, its grant, the live state of what the grant depends on, and the way to the current token. */
export async function findRefreshToken(
  db: Db,
  by: { environmentId: string; tokenHash: Uint8Array },
): Promise<RefreshToken | undefined> {
  const rows = await db.rows<Row>(sql`
    select t.id, t.generation, t.idle_expires_at, t.revoked_at, t.retired_at, t.grace_ends_at, t.rotated_method, t.rotated_network, t.rotated_user_agent,
      case when t.grace_ends_at is not null then array(select s.salt from refresh_tokens s
        where s.environment_id = t.environment_id and s.grant_id = t.grant_id and s.generation >= t.generation and s.grace_ends_at is not null order by s.generation) end as salts,
      case when t.grace_ends_at is not null then array(select s.ratchet_key_id from refresh_tokens s
        where s.environment_id = t.environment_id and s.grant_id = t.grant_id and s.generation >= t.generation and s.grace_ends_at is not null order by s.generation) end as key_ids,
      case when t.grace_ends_at is not null then (select s.idle_expires_at from refresh_tokens s
        where s.environment_id = t.environment_id and s.grant_id = t.grant_id and s.generation > t.generation and s.grace_ends_at is null and s.revoked_at is null) end as current_idle_expires_at,
      ${grantColumns}, ${liveColumns}
      from refresh_tokens t join grants x on x.environment_id = t.environment_id and x.id = t.grant_id ${liveJoins}
     where t.environment_id = ${by.environmentId} and t.token_hash = ${by.tokenHash}`);
  const row = rows[0];
  return row && fromRow(by.environmentId, row);
}

function fromRow(environmentId: string, row: Row): RefreshToken {
  return {
    environmentId,
    id: row.id,
    generation: row.generation,
    idleExpiresAt: row.idle_expires_at,
    revokedAt: row.revoked_at ?? undefined,
    retired: retirementFrom(row),
    grant: grantFrom(row),
    live: liveStateFrom(row),
  };
}

function retirementFrom(row: Row): Retirement | undefined {
  if (!row.grace_ends_at) return undefined;
  const keyIds = row.key_ids ?? [];
  return {
    at: row.retired_at ?? row.grace_ends_at,
    graceEndsAt: row.grace_ends_at,
    method: row.rotated_method ?? row.auth_method,
    network: row.rotated_network ?? '',
    userAgent: row.rotated_user_agent ?? '',
    steps: (row.salts ?? []).map((salt, index) => ({
      salt: salt ?? undefined,
      keyId: keyIds[index] ?? undefined,
    })),
    currentIdleExpiresAt: row.current_idle_expires_at ?? undefined,
  };
}

export type Rotation = {
  readonly environmentId: string;
  /** Row of the presented, current token. */
  readonly id: string;
  readonly grantId: string;
  readonly userId: string;
  /** The secret whose handle is in the access token just signed. */
  readonly userSecret: Uint8Array;
  readonly salt: Uint8Array;
  readonly ratchetKeyId: string;
  readonly graceEndsAt: Date;
  readonly method: AuthMethod;
  readonly network: string;
  readonly userAgent: string;
  readonly successor: {
    readonly id: string;
    readonly tokenHash: Uint8Array;
    readonly idleExpiresAt: Date;
  };
  readonly event: Event;
  readonly now: Date;
};

/** Retires a token and adds its successor: of any number of concurrent callers exactly one gets true (AS-108). */
export async function rotateRefreshToken(db: Db, by: Rotation): Promise<boolean> {
  const added = await db.rows(sql`
    with retired as (
      update refresh_tokens t set salt = ${by.salt}, ratchet_key_id = ${by.ratchetKeyId}, retired_at = ${by.now}, grace_ends_at = ${by.graceEndsAt}, rotated_method = ${by.method},
        rotated_network = ${by.network}, rotated_user_agent = ${by.userAgent}
       where t.environment_id = ${by.environmentId} and t.id = ${by.id} and t.grace_ends_at is null and t.revoked_at is null and ${stillLive(by)}
      returning t.environment_id, t.grant_id, t.client_id, t.generation
    ), successor as (
      insert into refresh_tokens (environment_id, id, grant_id, client_id, generation, token_hash, created_at, idle_expires_at)
      select environment_id, ${by.successor.id}, grant_id, client_id, generation + 1, ${by.successor.tokenHash}::bytea, ${by.now}::timestamptz, ${by.successor.idleExpiresAt}::timestamptz from retired
      returning id
    ), used as (
      update grants g set last_used_at = ${by.now} from retired where g.environment_id = retired.environment_id and g.id = retired.grant_id
    ), event as (
      ${eventSql(by.event)} where exists (select 1 from successor)
    )
    select id from successor`);
  return added.length === 1;
}

/** For clients that keep their token (AS-107): its idle time starts again. False when it is no longer the current one. */
export async function keepRefreshToken(
  db: Db,
  by: Pick<
    Rotation,
    'environmentId' | 'id' | 'grantId' | 'userId' | 'userSecret' | 'event' | 'now'
  > & { readonly idleExpiresAt: Date },
): Promise<boolean> {
  const kept = await db.rows(sql`
    with kept as (
      update refresh_tokens t set idle_expires_at = ${by.idleExpiresAt}
       where t.environment_id = ${by.environmentId} and t.id = ${by.id} and t.grace_ends_at is null and t.revoked_at is null and ${stillLive(by)}
      returning t.environment_id, t.grant_id
    ), used as (
      update grants g set last_used_at = ${by.now} from kept where g.environment_id = kept.environment_id and g.id = kept.grant_id
    ), event as (
      ${eventSql(by.event)} where exists (select 1 from kept)
    )
    select grant_id from kept`);
  return kept.length === 1;
}

/** Answers that one retired token may get (AS-109). */
export const MOST_GRACE_ANSWERS = 50;

/**
 * Counts one answer to a retired token before it is given. `changed`: grant or person have ended meanwhile, or the token to be
 * handed out is no longer the current one.
 */
export async function countGraceAnswer(
  db: Db,
  by: Pick<Rotation, 'environmentId' | 'id' | 'grantId' | 'userId' | 'userSecret' | 'event'> & {
    /** SHA-256 of the token that the answer hands out. */
    readonly currentHash: Uint8Array;
  },
): Promise<'counted' | 'too-many' | 'changed'> {
  const rows = await db.rows<{ grace_answers: number }>(sql`
    with counted as (
      update refresh_tokens t set grace_answers = least(t.grace_answers, ${MOST_GRACE_ANSWERS}) + 1
       where t.environment_id = ${by.environmentId} and t.id = ${by.id} and t.revoked_at is null and ${stillLive(by)}
         and exists (select 1 from refresh_tokens cu
           where cu.environment_id = ${by.environmentId} and cu.token_hash = ${by.currentHash} and cu.grace_ends_at is null and cu.revoked_at is null)
      returning t.grace_answers
    ), event as (
      ${eventSql(by.event)} where exists (select 1 from counted where grace_answers <= ${MOST_GRACE_ANSWERS})
    )
    select grace_answers from counted`);
  const counted = rows[0]?.grace_answers;
  if (counted === undefined) return 'changed';
  return counted <= MOST_GRACE_ANSWERS ? 'counted' : 'too-many';
}

/** What may have changed between the look at the row `t` and the statement that acts on it. */
function stillLive(by: {
  environmentId: string;
  grantId: string;
  userId: string;
  userSecret: Uint8Array;
}) {
  return sql`exists (select 1 from grants lg where lg.environment_id = ${by.environmentId} and lg.id = ${by.grantId} and lg.ended_at is null)
    and exists (select 1 from users lu where lu.environment_id = ${by.environmentId} and lu.id = ${by.userId} and lu.enabled and lu.revocation_secret = ${by.userSecret})`;
}

/** Erases what leads from a retired token to its successor, once its grace is over (AS-108). */
export async function eraseOldSalts(db: Db, now: Date): Promise<void> {
  await db.rows(
    sql`update refresh_tokens set salt = null where salt is not null and grace_ends_at <= ${now}`,
  );
}
