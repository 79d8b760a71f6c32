import type { Db } from '../storage/db.ts';
import type { Config } from './config.ts';
import type { FindTxt } from './dns-txt.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { SafeFetch } from './safe-fetch.ts';
import type { Secrets } from './secrets.ts';

/** What every function may need from outside: settings, storage, time, chance, the network. Handed in, never found. */
export type App = {
  readonly config: Config;
  readonly db: Db;
  readonly now: () => Date;
  readonly random: (bytes: number) => Uint8Array;
  readonly fetch: SafeFetch;
  readonly log: Log;
  readonly secrets: Secrets;
  readonly metrics: Metrics;
  /** Absent: nobody can prove a domain. */
  readonly findTxt?: FindTxt | undefined;
  /** Absent: everybody may grant whatever the MCP server has. */
  readonly permittedScopes?: ScopePolicy | undefined;
};

/**
 * Which of these scopes a person may grant a client at an MCP server (AS-48). Scopes that were not asked about are ignored; an
 * error refuses the request.
 */
export type ScopePolicy = (request: {
  readonly environmentId: string;
  readonly mcpServerId: string;
  readonly clientId: string;
  readonly userId: string;
  /** Absent where an application's own login page says who it is: nobody proved that address here. */
  readonly email: string | undefined;
  /** That page's connection. */
  readonly connectionId: string | undefined;
  readonly scopes: readonly string[];
}) => Promise<readonly string[]>;

/** Who a change is written down for. */
export type Actor = {
  readonly kind: 'environment-client' | 'operator' | 'user' | 'portal';
  /** Of the client, operator, user or portal session. */
  readonly id: string;
};

/** Where a call came from. Used for rate limits, audit and the owner's notices; never for a decision about identity. */
export type Network = { readonly address: string; readonly userAgent: string };

/** The context of one request: the app, seen from one environment. */
export type Ctx = App & {
  readonly environmentId: string;
  /** E: the environment's URL without trailing slash, from configuration. */
  readonly issuer: string;
  readonly requestId: string;
  readonly network: Network;
  /** Who makes a management call; absent for everything else. */
  readonly actor?: Actor | undefined;
};

/** The same context on another connection, for work inside a transaction. */
export function withDb<T extends { readonly db: Db }>(ctx: T, db: Db): T {
  return { ...ctx, db };
}
