import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import type { McpServerOptions } from '@gatewarden/resource-server';
import { startFakeIssuer } from '@gatewarden/resource-server/testing/fake-issuer';
import { declaration } from '@gatewarden/resource-server/testing/guarded-server';
import type { Adapter, Call, Start, Target } from './target.ts';

/** One row of the table: what every adapter must do with one kind of request. */
export type Row = {
  readonly title: string;
  /** Name by which an adapter can say why the row does not concern it. */
  readonly key: string;
  readonly run: (target: Target) => Promise<void>;
  /** The tools that run meanwhile, and no others; none if nothing is given. */
  readonly ran: readonly string[];
};

/** A row. The title names the requirements; the name of the adapter comes before it. */
export function row(
  title: string,
  key: string,
  run: (target: Target) => Promise<void>,
  ran: readonly string[] = [],
): Row {
  return { title, key, run, ran };
}

/** How long to wait for what another process may still have to tell, in milliseconds. */
const apartMs = 100;

/** Bodies larger than this are refused in every server of the table. */
export const maxBodyBytes = 100_000;

/** Registers the rows as tests of each adapter, against one server for each. */
export function testAdapters(adapters: readonly Adapter[], rows: readonly Row[]): void {
  const keys = new Set(rows.map(({ key }) => key));
  for (const { name, start, except, apart } of adapters) {
    for (const key of Object.keys(except)) assert.ok(keys.has(key), `${name}: no row ${key}`);
    test(`${name} keeps every row of the table that concerns it`, async (t) => {
      const target = await startTarget(t, start);
      for (const { title, key, run, ran } of rows) {
        if (Object.hasOwn(except, key)) continue;
        await t.test(`${name}: ${title}`, async () => {
          target.calls.length = 0;
          await run(target);
          if (apart) await after(apartMs);
          assert.deepEqual(
            target.calls.map(({ tool }) => tool),
            ran,
            'only what may run has run',
          );
        });
      }
    });
  }
}

async function startTarget(
  t: TestContext,
  start: Start,
  second?: Partial<McpServerOptions>,
): Promise<Target> {
  const issuer = await startFakeIssuer(t);
  issuer.clock.now = new Date(); // the SDKs compare expiry with the clock of the machine
  const calls: Call[] = [];
  const first = declaration(issuer, { publicPaths: ['/health'], maxBodyBytes });
  const servers = second ? [first, declaration(issuer, second)] : [first];
  const served = await start(t, servers, (call) => calls.push(call));
  return { ...served, issuer, calls, another: (more) => startTarget(t, start, more) };
}
