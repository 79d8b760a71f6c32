// Lists, searches and lookups of the management API with a thousand people and with a million: two servers on two databases of one
// PostgreSQL, asked in turns.
import { type Sql, sql } from '../packages/server/src/storage/db.ts';
import { openPostgres } from '../packages/server/src/storage/postgres.ts';
import { atMost, type Budget } from './budgets.ts';
import type { Cleanups } from './cleanups.ts';
import { openConnection } from './connection.ts';
import { fillPeople, type People } from './fill-people.ts';
import { newInstallation, start, stop } from './gatewarden.ts';
import { type DurablePostgres, startDurablePostgres } from './postgres.ts';
import { table } from './report.ts';
import { median, percentile } from './statistics.ts';

export type ListsPlan = {
  readonly few: number;
  readonly many: number;
  /** Blocks of calls, in which the two servers take turns. */
  readonly rounds: number;
  /** Calls of one operation to one server in one round. */
  readonly calls: number;
};

export const FULL_LISTS: ListsPlan = { few: 1_000, many: 1_000_000, rounds: 8, calls: 250 };
export const QUICK_LISTS: ListsPlan = { few: 1_000, many: 100_000, rounds: 3, calls: 150 };

/** One operation with so many people: milliseconds as the caller sees them. */
export type ListRow = {
  readonly operation: string;
  readonly people: number;
  readonly p50: number;
  readonly p99: number;
};

type Asker = {
  readonly get: (path: string) => Promise<Record<string, unknown>>;
  readonly close: () => void;
};
type Site = { readonly people: People; readonly asker: () => Promise<Asker> };

/** The path of one call; given who is there and a number that differs from call to call. */
type Operation = (people: People, n: number, pages: readonly string[]) => string;

const API = '/api/v1';
const OPERATIONS: Readonly<Record<string, Operation>> = {
  'list people': () => `${API}/users?page_size=10`,
  'list people, a later page': (_people, n, pages) =>
    `${API}/users?page_size=10&page_token=${pages[n % pages.length]}`,
  'list organizations': () => `${API}/organizations?page_size=10`,
  'list people of an organization': (people, n) =>
    `${API}/organizations/${people.organization(n)}/users?page_size=10`,
  'search people by e-mail': (people, n) => `${API}/users:search?query=${people.email(n)}`,
  'search people of an organization': (people, n) =>
    `${API}/organizations/${people.organizationOf(n)}/users:search?query=${people.email(n)}`,
  'search organizations by name': (people, n) =>
    `${API}/organizations:search?query=${encodeURIComponent(people.organizationName(n))}`,
  'get a person by external id': (people, n) => `${API}/users:external/${people.externalId(n)}`,
  'effective permissions': (people, n) =>
    `${API}/organizations/${people.organizationOf(n)}/users/${people.user(n)}/permissions`,
};

/** Fills both databases and measures; takes minutes, most of them to make a million people. */
export async function measureLists(
  cleanups: Cleanups,
  plan: ListsPlan,
  progress: (text: string) => void,
): Promise<ListRow[]> {
  const postgres = await startDurablePostgres(cleanups);
  const sites: Site[] = [];
  for (const wanted of [
    { name: 'few', create: sql`create database few`, count: plan.few },
    { name: 'many', create: sql`create database many`, count: plan.many },
  ]) {
    progress(`making ${wanted.count} people`);
    sites.push(await openSite(cleanups, postgres, wanted));
  }
  const pages = await Promise.all(sites.map(laterPages));
  const times = new Map<string, number[]>();
  for (const [operation, pathOf] of Object.entries(OPERATIONS)) {
    progress(operation);
    for (let round = 0; round <= plan.rounds; round += 1) {
      for (const at of round % 2 === 0 ? [0, 1] : [1, 0]) {
        const site = sites[at];
        if (!site) continue;
        const taken = await time(site, pathOf, pages[at] ?? [], { round, calls: plan.calls });
        const key = `${operation}\n${site.people.count}`;
        // The first round warms both up: caches of the database, statements, compiled code.
        if (round > 0) times.set(key, [...(times.get(key) ?? []), ...taken]);
      }
    }
  }
  return [...times].map(([key, taken]) => {
    const [operation = '', people] = key.split('\n');
    return {
      operation,
      people: Number(people),
      p50: percentile(taken, 0.5),
      p99: percentile(taken, 0.99),
    };
  });
}

/** A database of its own with so many people, and a server in front of it. */
async function openSite(
  cleanups: Cleanups,
  postgres: DurablePostgres,
  { name, create, count }: { name: string; create: Sql; count: number },
): Promise<Site> {
  const admin = await openPostgres({ url: postgres.url, maxConnections: 1 });
  await admin.rows(create);
  await admin.close();
  const url = postgres.url.replace(/[^/]+$/, name);
  const installation = await newInstallation(cleanups, { ...postgres, url });
  await stop(await start(cleanups, installation));
  const people = await fillPeople(url, count);
  const { ready } = await start(cleanups, installation);
  const token = await tokenOf(installation.port, ready.clientId, ready.clientSecret);
  // A connection for each block of calls: the server closes one that waits while the other server has its turn.
  const asker = async (): Promise<Asker> => {
    const connection = await openConnection(installation.port);
    const get = async (path: string): Promise<Record<string, unknown>> => {
      const answer = await connection.send(
        `GET ${path} HTTP/1.1\r\nhost: localhost:${installation.port}\r\nauthorization: Bearer ${token}\r\n\r\n`,
      );
      if (answer.status !== 200)
        throw new Error(`GET ${path} answers ${answer.status}: ${answer.body}`);
      return JSON.parse(answer.body) as Record<string, unknown>; // only read member by member
    };
    return { get, close: connection.close };
  };
  return { people, asker };
}

async function tokenOf(port: number, id: string, secret: string): Promise<string> {
  const answer = await fetch(`http://localhost:${port}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: id,
      client_secret: secret,
    }),
  });
  const body: unknown = await answer.json();
  if (typeof body === 'object' && body !== null && 'access_token' in body)
    return String(body.access_token);
  throw new Error(`no management token: ${answer.status}`);
}

/** Tokens of pages further down. */
async function laterPages({ asker }: Site): Promise<string[]> {
  const { get, close } = await asker();
  const tokens: string[] = [];
  for (let n = 0; n < 20; n += 1) {
    const after = tokens.at(-1);
    const page = await get(
      `${API}/users?page_size=30${after === undefined ? '' : `&page_token=${after}`}`,
    );
    tokens.push(encodeURIComponent(String(page['next_page_token'])));
  }
  close();
  return tokens;
}

async function time(
  site: Site,
  pathOf: Operation,
  pages: readonly string[],
  by: { round: number; calls: number },
): Promise<number[]> {
  const taken: number[] = [];
  const { get, close } = await site.asker();
  for (let call = 0; call < by.calls; call += 1) {
    // Numbers all over the list, the same ones in each run.
    const n = ((by.round * by.calls + call) * 7919) % site.people.count;
    const path = pathOf(site.people, n, pages);
    const startedAt = performance.now();
    await get(path);
    taken.push(performance.now() - startedAt);
  }
  close();
  return taken;
}

/** The 99th percentile with many people may be half as long again as with few. */
export function listBudgets(rows: readonly ListRow[]): Budget[] {
  return pairsOf(rows).map(({ operation, few, many }) =>
    atMost(
      `${operation}, p99 with ${many.people} people to ${few.people}`,
      many.p99 / few.p99,
      'x',
      1.5,
    ),
  );
}

export function listReport(rows: readonly ListRow[]): string {
  const ms = (value: number): string => value.toFixed(2);
  return table(
    ['operation', 'people', 'p50 ms', 'p99 ms', 'p50 x', 'p99 x'],
    pairsOf(rows).flatMap(({ operation, few, many }) => [
      [operation, String(few.people), ms(few.p50), ms(few.p99), '', ''],
      [
        '',
        String(many.people),
        ms(many.p50),
        ms(many.p99),
        ms(many.p50 / few.p50),
        ms(many.p99 / few.p99),
      ],
    ]),
  );
}

function pairsOf(rows: readonly ListRow[]): { operation: string; few: ListRow; many: ListRow }[] {
  const middle = median(rows.map(({ people }) => people));
  return rows
    .filter(({ people }) => people < middle)
    .flatMap((few) => {
      const many = rows.find((row) => row.operation === few.operation && row.people > middle);
      return many ? [{ operation: few.operation, few, many }] : [];
    });
}
