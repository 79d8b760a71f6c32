import type { Examination } from '../examination.ts';
import { header, type Outcome } from '../http.ts';
import {
  initializeCall,
  isCarriedOut,
  mcpCall,
  PROTOCOL_VERSION,
  statelessCall,
} from '../mcp-request.ts';

/** Calls of somebody who has a token. */
export type McpCaller = {
  readonly call: (method: string, params: Readonly<Record<string, unknown>>) => Promise<Outcome>;
};

/** Opens MCP with a token, in the older or in the stateless way. An answer that is no success comes back as it is. */
export async function openMcp(
  examination: Examination,
  url: string,
  token: string,
): Promise<McpCaller | Outcome> {
  const authorization = `Bearer ${token}`;
  const first = await examination.send(initializeCall(url, { authorization }));
  if (first.kind === 'failed') return first;
  if (isCarriedOut(first)) {
    const session = {
      authorization,
      'mcp-session-id': header(first, 'mcp-session-id'),
      'mcp-protocol-version': PROTOCOL_VERSION,
    };
    await examination.send({
      ...mcpCall(url, 'notifications/initialized', {}, session),
      body: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }),
    });
    return { call: (method, params) => examination.send(mcpCall(url, method, params, session)) };
  }
  if (first.status === 401 || first.status === 403) return first;
  const discovered = await examination.send(
    statelessCall(url, 'server/discover', {}, { authorization }),
  );
  if (discovered.kind === 'failed' || !isCarriedOut(discovered)) return first;
  return {
    call: (method, params) =>
      examination.send(statelessCall(url, method, params, { authorization })),
  };
}

export function isCaller(value: McpCaller | Outcome): value is McpCaller {
  return 'call' in value;
}
