import type { Memory } from './gatewarden.ts';
import type { Row } from './measure.ts';
import type { PageWeight } from './page-weight.ts';
import { median } from './statistics.ts';

/** What one run found out. */
export type Findings = {
  readonly rows: readonly Row[];
  readonly roundTrips: Readonly<Record<string, number>>;
  /** By server. */
  readonly starts: Readonly<
    Record<string, { readonly emptyMs: number; readonly initialisedMs: number }>
  >;
  readonly memory: Readonly<Record<string, Memory & { readonly afterLoad: number }>>;
  readonly pages: readonly PageWeight[];
};

export type Budget = {
  readonly what: string;
  readonly measured: number;
  readonly unit: string;
  readonly bound: 'at least' | 'at most';
  readonly budget: number;
  readonly met: boolean;
};

export const PEER = 'oidc-provider';
const POSTGRES = 'Gatewarden, PostgreSQL';
const PGLITE = 'Gatewarden, PGlite';
const MB = 1_000_000;

/** Every budget that this bench measures, met or not. */
export function budgetsOf(findings: Findings): Budget[] {
  const { rows, roundTrips, pages } = findings;
  const ratios = [POSTGRES, PGLITE].flatMap((server) =>
    rows
      .filter((row) => row.operation === 'client_credentials' && row.server === server)
      .map((row) =>
        atLeast(
          `client_credentials, ${server}, ${row.connections} at once, to ${PEER}`,
          ratioOf(row, rows),
          'x',
          1,
        ),
      ),
  );
  const cores = rows
    .filter(
      (row) =>
        row.server === POSTGRES &&
        row.connections === 16 &&
        (row.operation === 'code exchange' || row.operation === 'refresh'),
    )
    .flatMap((row) => [
      atLeast(
        `${row.operation}, durable, per core of the server`,
        row.cpuMs === undefined ? Number.NaN : 1000 / row.cpuMs,
        '/s',
        1000,
      ),
      atMost(
        `${row.operation}, round trips to the database`,
        Math.round(roundTrips[row.operation] ?? Number.NaN),
        '',
        2,
      ),
    ]);
  const starts = Object.entries(findings.starts).flatMap(([server, { emptyMs, initialisedMs }]) => [
    atMost(`${server}: start, empty`, emptyMs / 1000, 's', 5),
    atMost(`${server}: start, initialised`, initialisedMs / 1000, 's', 2),
  ]);
  return [...ratios, ...cores, ...starts, ...memoryBudgets(findings), ...pageBudgets(pages)];
}

function memoryBudgets({ memory }: Findings): Budget[] {
  const postgres = memory[POSTGRES];
  const pglite = memory[PGLITE];
  return [
    atMost(`${POSTGRES}: memory at rest`, (postgres?.atRest ?? Number.NaN) / MB, 'MB', 150),
    atMost(
      `${PGLITE}: memory five seconds after ready`,
      (pglite?.afterFive ?? Number.NaN) / MB,
      'MB',
      520,
    ),
    atMost(`${PGLITE}: memory at rest`, (pglite?.atRest ?? Number.NaN) / MB, 'MB', 450),
  ];
}

function pageBudgets(pages: readonly PageWeight[]): Budget[] {
  return pages.map(({ page, bytes }) =>
    atMost(`page "${page}", first load`, bytes / 1000, 'KB', 30),
  );
}

/**
 * Requests per second of a row as a multiple of the peer's for the same: the middle one of the rounds, in which both were
 * measured right after one another.
 */
export function ratioOf(row: Row, rows: readonly Row[]): number {
  const peer = peerOf(row, rows);
  return median(
    row.perSecondByRound.map(
      (perSecond, round) => perSecond / (peer?.perSecondByRound[round] ?? Number.NaN),
    ),
  );
}

/** Processor time for one request, the database's included, as a multiple of the peer's. A busy machine changes it least. */
export function costRatioOf(row: Row, rows: readonly Row[]): number | undefined {
  const peer = peerOf(row, rows);
  if (row.cpuMs === undefined || peer?.cpuMs === undefined) return undefined;
  return (row.cpuMs + (row.databaseCpuMs ?? 0)) / peer.cpuMs;
}

function peerOf(row: Row, rows: readonly Row[]): Row | undefined {
  return rows.find(
    (other) =>
      other.server === PEER &&
      other.operation === row.operation &&
      other.connections === row.connections,
  );
}

// Written so that a value that could not be measured is not met.
export function atLeast(what: string, measured: number, unit: string, budget: number): Budget {
  return { what, measured, unit, bound: 'at least', budget, met: measured >= budget };
}

export function atMost(what: string, measured: number, unit: string, budget: number): Budget {
  return { what, measured, unit, bound: 'at most', budget, met: measured <= budget };
}
