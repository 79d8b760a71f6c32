import { type Budget, costRatioOf, type Findings, PEER, ratioOf } from './budgets.ts';
import type { Machine } from './machine.ts';

const MB = 1_000_000;

/** Everything that was found out, as text for a terminal. */
export function reportOf(findings: Findings): string {
  return [
    operationsTable(findings),
    table(
      ['server', 'start, empty', 'initialised', 'at ready', '5 s after', 'at rest', 'after load'],
      Object.entries(findings.starts).map(([server, { emptyMs, initialisedMs }]) => {
        const memory = findings.memory[server];
        const megabytes = (bytes: number | undefined): string =>
          bytes === undefined ? '-' : `${Math.round(bytes / MB)} MB`;
        return [
          server,
          `${(emptyMs / 1000).toFixed(2)} s`,
          `${(initialisedMs / 1000).toFixed(2)} s`,
          megabytes(memory?.atReady),
          megabytes(memory?.afterFive),
          megabytes(memory?.atRest),
          megabytes(memory?.afterLoad),
        ];
      }),
    ),
    table(
      ['page', 'first load', 'files'],
      findings.pages.map(({ page, bytes, files }) => [
        page,
        `${(bytes / 1000).toFixed(1)} KB`,
        String(files),
      ]),
    ),
    ...warnings(findings),
  ].join('\n\n');
}

export function budgetTable(budgets: readonly Budget[]): string {
  return table(
    ['budget', 'measured', 'wanted', 'verdict'],
    budgets.map(({ what, measured, unit, bound, budget, met }) => [
      what,
      `${number(measured)}${gap(unit)}${unit}`,
      `${bound} ${budget}${gap(unit)}${unit}`,
      met ? 'met' : 'FALLS SHORT',
    ]),
  );
}

export function machineText(machine: Machine): string {
  return `${machine.cores} cores (${machine.processor}), ${machine.memoryGb} GB, ${machine.system}, Node.js ${machine.node}, load ${machine.load.toFixed(1)} before the start.
One core makes ${Math.round(machine.signaturesPerCore)} RS256 signatures a second: no server can issue more tokens on it.`;
}

function operationsTable({ rows, roundTrips }: Findings): string {
  const heads = [
    'operation',
    'at once',
    'server',
    'req/s',
    'x peer',
    'p50 ms',
    'p99 ms',
    'CPU ms',
    'main',
    'db CPU',
    'x peer',
    'trips',
    'a confirmed write is in',
  ];
  return table(
    heads,
    rows.map((row) => [
      row.operation,
      String(row.connections),
      row.server,
      String(Math.round(row.perSecond)),
      row.server === PEER ? '' : ratioOf(row, rows).toFixed(2),
      row.p50.toFixed(2),
      row.p99.toFixed(2),
      row.cpuMs?.toFixed(2) ?? '-',
      row.mainThreadMs?.toFixed(2) ?? '-',
      row.databaseCpuMs?.toFixed(2) ?? '',
      row.server === PEER ? '' : (costRatioOf(row, rows)?.toFixed(2) ?? '-'),
      row.databaseCpuMs === undefined ? '' : (roundTrips[row.operation]?.toString() ?? '-'),
      row.durability,
    ]),
  );
}

function warnings({ rows }: Findings): string[] {
  const failures = rows
    .filter(({ failed }) => failed > 0)
    .map(
      ({ operation, server, connections, failed, firstFailure }) =>
        `${failed} requests failed: ${operation} at ${server}, ${connections} connections: ${firstFailure}`,
    );
  const busy = rows
    .filter(({ loadShare }) => loadShare > 0.9)
    .map(
      ({ operation, server, connections }) =>
        `The process that asks was the bottleneck: ${operation} at ${server}, ${connections} connections.`,
    );
  return [...failures, ...busy];
}

/** Columns as wide as they must be; what looks like a number stands at the right. */
export function table(heads: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = heads.map((head, n) =>
    Math.max(head.length, ...lines.map((line) => line[n]?.length ?? 0)),
  );
  const format = (cells: readonly string[]): string =>
    cells
      .map((cell, n) =>
        /^[0-9.-]/.test(cell) || lines.every((line) => /^[0-9.-]|^$/.test(line[n] ?? ''))
          ? cell.padStart(widths[n] ?? 0)
          : cell.padEnd(widths[n] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [
    format(heads),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...lines.map(format),
  ].join('\n');
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'not measured';
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toFixed(2)));
}

function gap(unit: string): string {
  return /^[a-z]+$/i.test(unit) && unit !== 'x' ? ' ' : '';
}
