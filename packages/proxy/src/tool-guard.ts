import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type GuardEvent,
  type McpGuard,
  protectMcp,
  type ToolRules,
} from '@gatewarden/resource-server';
import type { RequestRecord } from './access-log.ts';
import type { ProxyOptions } from './options.ts';
import { readToolsFile } from './tools-file.ts';

export type Reloaded = { readonly kind: 'ok' } | { readonly kind: 'kept'; readonly why: string };

/** The guard of the one MCP server, with tool rules that can be read again while it works. */
export type ToolGuard = McpGuard & {
  /** Reads the tool file again; a wrong one changes nothing. Sessions and keys stay. */
  reload(): Promise<Reloaded>;
  /** Runs a request, so that what the guard reports about it is noted in its record. */
  noting(record: RequestRecord, run: () => void): void;
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
  const { serverUrl, rules, log } = given;
  const { toolsFile } = options;
  const guard = protectMcp({
    ...(options.now ? { now: options.now } : {}),
    ...options.protect,
    ...rules,
    serverUrl,
    log: (event) => {
      note(records.getStore(), event);
      log(event);
    },
  });
  return {
    ...guard,
    async reload() {
      if (toolsFile === undefined) return { kind: 'kept', why: 'there is no tool file' };
      try {
        guard.replaceToolRules(serverUrl, await readToolsFile(toolsFile));
        return { kind: 'ok' };
      } catch (error) {
        return { kind: 'kept', why: error instanceof Error ? error.message : 'unknown' };
      }
    },
    noting: (record, run) => records.run(record, run),
  };
}

function note(record: RequestRecord | undefined, event: GuardEvent): void {
  if (!record) return;
  record.reason ??= event.reason ?? event.event;
  record.subject ??= event.subject;
  record.clientId ??= event.clientId;
}
