import { atLeast, atMost, type Budget } from './budgets.ts';
import type { Cleanups } from './cleanups.ts';
import type { Load } from './load.ts';
import { type HttpPlan, type MiddlewareRow, measureMiddleware } from './middleware.ts';
import { measureProxy, type ProxyRow } from './proxy.ts';
import { table } from './report.ts';
import { type MemoryPlan, measureTokenMemory, type TokenMemory } from './token-memory.ts';
import {
  measureValidation,
  type ValidationPlan,
  type ValidationRow,
  VENDOR,
} from './validation.ts';

export type LibraryPlan = {
  readonly validation: ValidationPlan;
  readonly http: HttpPlan;
  readonly memory: MemoryPlan;
};

export type LibraryFindings = {
  readonly validation: readonly ValidationRow[];
  readonly middleware: readonly MiddlewareRow[];
  readonly proxy: readonly ProxyRow[];
  readonly memory: TokenMemory;
};

export const FULL_LIBRARY: LibraryPlan = {
  validation: { rounds: 5, tokens: 2000, milliseconds: 200, atOnce: [1, 16] },
  http: { rounds: 15, milliseconds: 500, warmUpMilliseconds: 1500 },
  memory: { tokens: 100_000, garbage: 100_000 },
};
export const QUICK_LIBRARY: LibraryPlan = {
  validation: { rounds: 1, tokens: 500, milliseconds: 100, atOnce: [1, 16] },
  http: { rounds: 3, milliseconds: 500, warmUpMilliseconds: 500 },
  memory: { tokens: 20_000, garbage: 20_000 },
};

/** Everything about the resource server library, the SDK and the proxy, one after the other. */
export async function measureLibrary(
  cleanups: Cleanups,
  load: Load,
  plan: LibraryPlan,
  progress: (text: string) => void,
): Promise<LibraryFindings> {
  progress('validating tokens: ours and two others in turns');
  const validation = await measureValidation(cleanups, plan.validation);
  progress('an Express endpoint with and without the middleware');
  const middleware = await measureMiddleware(cleanups, load, plan.http);
  progress('requests through the proxy');
  const proxy = await measureProxy(cleanups, load, plan.http);
  progress(`${plan.memory.tokens} distinct tokens, then garbage`);
  const memory = await measureTokenMemory(cleanups, plan.memory);
  return { validation, middleware, proxy, memory };
}

const OURS = ['protectMcp decide', '@gatewarden/sdk validateToken'];
const MB = 1_000_000;

export function libraryBudgets({ validation, middleware, memory }: LibraryFindings): Budget[] {
  const validations = OURS.flatMap((name) =>
    (['RS256', 'ES256'] as const).flatMap((algorithm) =>
      (['seen', 'new'] as const).map((tokens) => {
        // The worse of one and many at once.
        const times = validation
          .filter((row) => row.name === name && row.algorithm === algorithm)
          .filter((row) => row.tokens === tokens)
          .map(({ costTimesVendor }) => costTimesVendor);
        const least = times.length === 0 ? Number.NaN : Math.min(...times);
        return atLeast(
          `${name}, ${algorithm}, ${tokens}, to the vendor`,
          least,
          'x',
          tokens === 'seen' ? 50 : 4,
        );
      }),
    ),
  );
  const [endpoint] = middleware;
  return [
    ...validations,
    atMost(
      'middleware, added to a request of an MCP endpoint',
      endpoint?.addedPercent ?? Number.NaN,
      '%',
      5,
    ),
    atMost(
      'memory after all tokens, beyond that after the first tenth',
      growth(memory) / MB,
      'MB',
      2,
    ),
    atMost(`memory after ${memory.garbage} refused tokens`, memory.garbageBytes / MB, 'MB', 2),
  ];
}

function growth({ afterTokens }: TokenMemory): number {
  const bytes = afterTokens.map((one) => one.bytes);
  return (bytes.at(-1) ?? Number.NaN) - (bytes[0] ?? Number.NaN);
}

/** What was found out about the library, as text for a terminal. */
export function libraryReport(findings: LibraryFindings): string {
  const { validation, middleware, proxy, memory } = findings;
  return [
    table(
      [
        'tokens',
        'signature',
        'at once',
        'validated by',
        'tokens/s',
        'x vendor',
        'CPU us',
        'x vendor',
      ],
      validation.map((row) => [
        row.tokens,
        row.algorithm,
        String(row.atOnce),
        row.name,
        String(Math.round(row.perSecond)),
        row.name === VENDOR ? '' : row.timesVendor.toFixed(1),
        row.cpuMicroseconds.toFixed(1),
        row.name === VENDOR ? '' : row.costTimesVendor.toFixed(1),
      ]),
    ),
    table(
      ['Express, 16 at once', 'req/s', 'guarded', 'CPU us', 'guarded', 'added'],
      middleware.map((row) => [
        row.handler,
        String(Math.round(row.perSecond)),
        String(Math.round(row.perSecondGuarded)),
        row.cpuMicroseconds.toFixed(0),
        row.cpuMicrosecondsGuarded.toFixed(0),
        `${row.addedPercent.toFixed(1)} %`,
      ]),
    ),
    table(
      [
        'proxy, at once',
        'p50 us',
        'p99 us',
        'without it',
        'p99 us',
        'added p50',
        'p99',
        'CPU us',
        'req/s',
      ],
      proxy.map(({ connections, direct, proxied, cpuMicroseconds, perSecond }) => [
        String(connections),
        ...[
          proxied.p50,
          proxied.p99,
          direct.p50,
          direct.p99,
          proxied.p50 - direct.p50,
          proxied.p99 - direct.p99,
          cpuMicroseconds,
          perSecond,
        ].map((value) => value.toFixed(0)),
      ]),
    ),
    table(
      ['distinct tokens', 'memory held'],
      [
        ...memory.afterTokens.map(({ tokens, bytes }) => [
          String(tokens),
          `${(bytes / MB).toFixed(1)} MB`,
        ]),
        [`${memory.garbage} refused ones more`, `${(memory.garbageBytes / MB).toFixed(1)} MB more`],
      ],
    ),
  ].join('\n\n');
}
