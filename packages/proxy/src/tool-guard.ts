import { AsyncLocalStorage } from 'node:async_hooks';
import { type GuardEvent, type McpGuard, protectMcp } from '@gatewarden/resource-server';
import type { RequestRecord } from './access-log.ts';
import type { ProxyOptions } from './options.ts';
import { readToolsFile, type ToolRules } from './tools-file.ts';

export type Reloaded = { readonly kind: 'ok' } | { readonly kind: 'kept'; readonly why: string };

/** A guard whose tool rules can be replaced while it works. */
export type ToolGuard = {
  readonly current: () => McpGuard;
  /** Reads the tool file again; a wrong one changes nothing. */
  reload(): Promise<Reloaded>;
  /** Runs a request, so that what the guard reports about it is noted in its record. */
  noting(record: RequestRecord, run: () => void): void;
  close(): void;
};

/** @throws {ConfigurationError} a declaration that cannot work */
export function toolGuard(
  options: ProxyOptions,
  given: {
    readonly serverUrl: string;
    readonly rules: ToolRules | undefined;
    readonly log: (event: GuardEvent) => void;
  },
): ToolGuard {
  const records = new AsyncLocalStorage<RequestRecord>();
  const protect = (rules: ToolRules | undefined): McpGuard =>
    protectMcp({
      ...(options.now ? { now: options.now } : {}),
      ...options.protect,
      ...rules,
      serverUrl: given.serverUrl,
      log: (event) => {
        note(records.getStore(), event);
        given.log(event);
      },
    });
  let guard = protect(given.rules);
  return {
    current: () => guard,
    async reload() {
      if (options.toolsFile === undefined) return { kind: 'kept', why: 'there is no tool file' };
      try {
        const before = guard;
        guard = protect(await readToolsFile(options.toolsFile));
        closeGuard(before);
        return { kind: 'ok' };
      } catch (error) {
        return { kind: 'kept', why: error instanceof Error ? error.message : 'unknown' };
      }
    },
    noting: (record, run) => records.run(record, run),
    close: () => closeGuard(guard),
  };
}

function note(record: RequestRecord | undefined, event: GuardEvent): void {
  if (!record) return;
  record.reason ??= event.reason ?? event.event;
  record.subject ??= event.subject;
  record.clientId ??= event.clientId;
}

function closeGuard(guard: McpGuard): void {
  if ('close' in guard && typeof guard.close === 'function') Reflect.apply(guard.close, guard, []);
}
