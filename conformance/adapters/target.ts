import type { TestContext } from 'node:test';
import type { McpServerOptions } from '@gatewarden/resource-server';
import type { FakeIssuer } from '@gatewarden/resource-server/testing/fake-issuer';
import type { Guarded } from '@gatewarden/resource-server/testing/guarded-server';

/** Something ran behind the guard: a tool, or `(route)` for any other handler. */
export type Call = { readonly tool: string; readonly text: unknown; readonly client: unknown };

/** A real server with an adapter in front of its tools, and clients that normalise nothing. */
export type Target = Pick<Guarded, 'port' | 'send' | 'raw'> & {
  readonly issuer: FakeIssuer;
  /** What ran, in order. */
  readonly calls: Call[];
  /** Starts one more of its kind with an issuer of its own, and a second MCP server in it if one is given. */
  readonly another: (second?: Partial<McpServerOptions>) => Promise<Target>;
};

/** Starts a server on a free port for the length of a test; tells `ran` what runs behind the guard. */
export type Start = (
  t: TestContext,
  servers: readonly McpServerOptions[],
  ran: (call: Call) => void,
) => Promise<Pick<Guarded, 'port' | 'send' | 'raw'>>;

export type Adapter = {
  readonly name: string;
  readonly start: Start;
  /** Rows that cannot hold here, by their key, each with the reason. */
  readonly except: Readonly<Record<string, string>>;
  /** Runs in a process of its own, so that word of a call comes a little later. */
  readonly apart?: boolean;
};
