import { readFile } from 'node:fs/promises';
import type { ProxyOptions, Reloaded, RunningProxy } from '@gatewarden/proxy';
import { portNumber } from '@gatewarden/server';
import type { Command } from 'commander';
import { listensBeyondLoopback } from '../config.ts';
import { Refused, UsageError } from '../errors.ts';
import { type Io, untilStopped } from '../io.ts';
import { choosePort } from '../ports.ts';

type Flags = {
  upstream: string;
  port?: string;
  host?: string;
  url?: string;
  environmentUrl?: string;
  resourceId?: string;
  issuer?: string;
  audience?: readonly string[];
  allowUntyped?: boolean;
  tools?: string;
  baseScope?: readonly string[];
  defaultPolicy?: string;
  dpop?: string;
  hideTools?: boolean;
  challengeGranted?: boolean;
  allowOrigin?: readonly string[];
  maxBody?: string;
  upstreamHeader?: readonly string[];
  forwardHeader?: readonly string[];
  upstreamTimeout?: string;
  idleTimeout?: string;
  maxConnections?: string;
  identity?: string;
  identityKey?: string;
  managementPort?: string;
  managementHost?: string;
  json?: boolean;
};

const DEFAULT_PORT = 8090;
const DEFAULT_MANAGEMENT_PORT = 8190;

const HELP = `
The upstream must not be reachable except through the proxy: it gets requests without any token.

Examples:
  # an MCP server on this machine, registered at Gatewarden as http://localhost:8090/mcp
  gatewarden proxy --upstream http://127.0.0.1:3000/mcp \\
    --environment-url http://localhost:8080 --resource-id res_1234567890

  # in production, behind something that terminates TLS
  gatewarden proxy --upstream http://127.0.0.1:3000/mcp --url https://mcp.example.com/mcp --tools tools.yaml

  # an upstream that wants a static key, taken from the variable UPSTREAM_KEY
  gatewarden proxy --upstream https://internal.example/mcp --upstream-header "Authorization: Bearer @UPSTREAM_KEY"

  # tokens of another authorization server
  gatewarden proxy --upstream http://127.0.0.1:3000/mcp --issuer https://login.example.com --audience https://mcp.example.com/mcp

Reads GATEWARDEN_ENVIRONMENT_URL (or SCALEKIT_ENVIRONMENT_URL) and GATEWARDEN_RESOURCE_ID where the flags are absent.
One line of JSON for each request goes to standard output, everything else to standard error. SIGHUP reads the tool file
again; SIGTERM and Ctrl-C end it: what is open has 10 seconds.

Exit codes: 0 stopped, 1 cannot work, 2 wrong use.`;

/** `gatewarden proxy`: OAuth in front of an MCP server whose code stays as it is. */
export function proxyCommand(program: Command, io: Io): void {
  program
    .command('proxy')
    .description('Put OAuth in front of an MCP server without changing its code.')
    .requiredOption('--upstream <url>', 'the MCP endpoint to protect, http or https')
    .option(
      '--port <number>',
      `port to listen at (default ${DEFAULT_PORT}, or the next that is free)`,
    )
    .option('--host <address>', 'address to listen at (default 127.0.0.1)')
    .option('--url <url>', 'public URL of the endpoint (default http://localhost:PORT/mcp)')
    .option('--environment-url <url>', 'environment URL of Gatewarden')
    .option('--resource-id <id>', 'id of this MCP server at Gatewarden, res_…')
    .option('--issuer <url>', 'another authorization server whose access tokens are accepted')
    .option('--audience <text>', 'accepted audience of the tokens; repeatable', listed)
    .option('--allow-untyped', 'accept tokens of that server whose typ is JWT or absent')
    .option('--tools <file>', 'YAML file of the scopes each tool needs')
    .option('--base-scope <scope>', 'scope that every request needs; repeatable', listed)
    .option(
      '--default-policy <policy>',
      'tools that no rule names: deny, base or allow (default base; with --tools what the file says)',
    )
    .option('--dpop <mode>', 'tokens bound to a key: off, optional or required (default off)')
    .option('--hide-tools', 'leave tools out of tools/list that the caller may not call')
    .option(
      '--challenge-granted',
      'name the granted scopes in scope challenges too, for clients that would lose them',
    )
    .option('--allow-origin <origin>', 'browser origin that may call, or *; repeatable', listed)
    .option('--max-body <bytes>', 'largest request body (default 4194304)')
    .option(
      '--upstream-header <header>',
      '"Name: value" for the upstream; @NAME in it is that variable; repeatable',
      listed,
    )
    .option(
      '--forward-header <name>',
      'further header that may pass, both ways; repeatable',
      listed,
    )
    .option(
      '--upstream-timeout <seconds>',
      'limit for the first byte of an answer (default 120; connecting 10 at most)',
    )
    .option('--idle-timeout <seconds>', 'longest silence of an open stream (default 900)')
    .option('--max-connections <number>', 'connections of clients (default 1000)')
    .option('--identity <kind>', 'tell the upstream who calls: none or signed (default none)')
    .option(
      '--identity-key <file>',
      'PEM of the P-256 key that signs (default a new one each time)',
    )
    .option(
      '--management-port <number>',
      `port of /healthz, /readyz, /metrics (default ${DEFAULT_MANAGEMENT_PORT}, or the next that is free)`,
    )
    .option('--management-host <address>', 'address of those (default 127.0.0.1)')
    .option('--json', 'print one line of JSON when it answers')
    .addHelpText('after', HELP)
    .action(async (flags: Flags) => {
      await proxy(flags, io);
    });
}

function listed(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

async function proxy(flags: Flags, io: Io): Promise<void> {
  const stopped = untilStopped(io);
  const running = await started(flags, io);
  const reload = (): void => {
    void running.reload().then((outcome) => io.err(reloadText(outcome)));
  };
  if (io.exitOnSignal) {
    process.on('SIGHUP', reload);
    outliveReaders(io);
  }
  try {
    io.out(readyText(running, flags));
    await stopped;
  } finally {
    process.off('SIGHUP', reload);
    await running.close();
  }
}

/** Whoever collects the log may end before the proxy: requests are not refused for that. */
function outliveReaders(io: Io): void {
  let told = false;
  process.stdout.on('error', () => {
    if (!told)
      io.err('gatewarden: nobody reads standard output any more; the access log is lost.\n');
    told = true;
  });
  process.stderr.on('error', () => undefined);
}

/** @throws {Refused} an option or a file that cannot work */
async function started(flags: Flags, io: Io): Promise<RunningProxy> {
  // It brings a metrics library and an HTTP client along, which nobody else needs in memory.
  const { ConfigurationError, startProxy } = await import('@gatewarden/proxy');
  try {
    return await startProxy(await optionsOf(flags, io));
  } catch (error) {
    if (error instanceof ConfigurationError) throw new Refused(`${error.message}.`);
    throw error;
  }
}

async function optionsOf(flags: Flags, io: Io): Promise<ProxyOptions> {
  const host = flags.host ?? '127.0.0.1';
  if (listensBeyondLoopback(host) && flags.url === undefined)
    throw new UsageError(
      `--host ${host} makes the proxy reachable from other machines; say under which URL with --url.`,
    );
  const port = await chosen('--port', flags.port, host, DEFAULT_PORT);
  const managementHost = flags.managementHost ?? '127.0.0.1';
  return given({
    upstream: flags.upstream,
    host,
    port,
    protect: protectOf(flags, io.env),
    toolsFile: flags.tools,
    upstreamHeaders: (flags.upstreamHeader ?? []).map((header) => headerOf(header, io.env)),
    forwardHeaders: flags.forwardHeader,
    identity: oneOf('--identity', flags.identity, ['none', 'signed']),
    identityKey: await identityKey(flags),
    managementHost,
    managementPort: await chosen(
      '--management-port',
      flags.managementPort,
      managementHost,
      DEFAULT_MANAGEMENT_PORT,
    ),
    upstreamTimeoutMs: milliseconds('--upstream-timeout', flags.upstreamTimeout),
    idleTimeoutMs: milliseconds('--idle-timeout', flags.idleTimeout),
    maxConnections: wholeNumber('--max-connections', flags.maxConnections),
    accessLog: (entry: unknown) => io.out(`${JSON.stringify(entry)}\n`),
    // Refusals have a line in the access log; here is what needs somebody's attention.
    log: (event: { readonly level: string }) => {
      if (event.level === 'warn') io.err(`${JSON.stringify(event)}\n`);
    },
  });
}

function protectOf(flags: Flags, env: Io['env']): ProxyOptions['protect'] {
  const environmentUrl =
    flags.environmentUrl ||
    env['GATEWARDEN_ENVIRONMENT_URL'] ||
    env['SCALEKIT_ENVIRONMENT_URL'] ||
    undefined;
  const resourceId = flags.resourceId || env['GATEWARDEN_RESOURCE_ID'] || undefined;
  const ours = environmentUrl !== undefined && resourceId !== undefined;
  if (!ours && flags.issuer === undefined)
    throw new UsageError(
      'nobody issues the tokens: give --environment-url and --resource-id (or GATEWARDEN_ENVIRONMENT_URL and GATEWARDEN_RESOURCE_ID), or --issuer for another authorization server.',
    );
  const issuer = flags.issuer && {
    issuer: flags.issuer,
    ...given({ audiences: flags.audience, allowUntyped: flags.allowUntyped }),
  };
  const origins = flags.allowOrigin;
  return given({
    serverUrl: flags.url,
    // With an issuer of one's own the variables of some application do not count.
    environmentUrl: issuer && flags.environmentUrl === undefined ? undefined : environmentUrl,
    resourceId: issuer && flags.environmentUrl === undefined ? undefined : resourceId,
    issuers: issuer ? [issuer] : undefined,
    audiences: issuer ? undefined : flags.audience,
    baseScopes: flags.baseScope,
    defaultPolicy: oneOf('--default-policy', flags.defaultPolicy, ['deny', 'base', 'allow']),
    dpop: oneOf('--dpop', flags.dpop, ['off', 'optional', 'required']),
    hideUnpermittedTools: flags.hideTools,
    challengeIncludesGranted: flags.challengeGranted,
    allowedOrigins: origins?.includes('*') ? '*' : origins,
    maxBodyBytes: wholeNumber('--max-body', flags.maxBody),
  });
}

/** `Name: value`; `@NAME` in the value stands for that variable, so that no secret is seen in a list of processes. */
function headerOf(text: string, env: Io['env']): readonly [string, string] {
  const colon = text.indexOf(':');
  if (colon < 1) throw new UsageError('--upstream-header has to be "Name: value".');
  const value = text
    .slice(colon + 1)
    .trim()
    .replace(/(^| )@([A-Z_][A-Z0-9_]*)$/, (_all, space: string, name: string) => {
      const secret = env[name];
      if (!secret)
        throw new UsageError(`${name} is not set; --upstream-header takes its value from there.`);
      return `${space}${secret}`;
    });
  return [text.slice(0, colon).trim(), value];
}

async function identityKey(flags: Flags): Promise<string | undefined> {
  if (flags.identityKey === undefined) return undefined;
  if (flags.identity !== 'signed')
    throw new UsageError('--identity-key is only used with --identity signed.');
  try {
    return await readFile(flags.identityKey, 'utf8');
  } catch {
    throw new Refused(`--identity-key ${flags.identityKey} cannot be read.`);
  }
}

async function chosen(
  flag: string,
  asked: string | undefined,
  host: string,
  fallback: number,
): Promise<number> {
  return await choosePort(
    host,
    asked === undefined ? undefined : portNumber(flag, asked),
    fallback,
  );
}

function oneOf<Name extends string>(
  flag: string,
  value: string | undefined,
  names: readonly Name[],
): Name | undefined {
  const found = names.find((name) => name === value);
  if (value !== undefined && found === undefined)
    throw new UsageError(`${flag} is "${value}"; it can be ${names.join(', ')}.`);
  return found;
}

function milliseconds(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,5}(\.\d{1,3})?$/.test(value) || Number(value) === 0)
    throw new UsageError(`${flag} is "${value}"; it is a number of seconds up to 86400.`);
  return Math.round(Number(value) * 1_000);
}

function wholeNumber(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,9}$/.test(value))
    throw new UsageError(`${flag} is "${value}"; it is a whole number above 0.`);
  return Number(value);
}

type Given<T> = { [Name in keyof T]: Exclude<T[Name], undefined> };

/** Leaves out what was not given, so that the defaults stay where they are documented. */
function given<T extends object>(values: T): Given<T> {
  // Members that are left out were optional in every type this is used for.
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Given<T>;
}

function reloadText(outcome: Reloaded): string {
  return outcome.kind === 'ok'
    ? 'gatewarden: the tool file was read again.\n'
    : `gatewarden: the tool rules stay as they were: ${outcome.why}.\n`;
}

function readyText(running: RunningProxy, flags: Flags): string {
  const { url, port, managementUrl } = running;
  if (flags.json)
    return `${JSON.stringify({ ready: true, mcpUrl: url, port, managementUrl, pid: process.pid })}\n`;
  return `Gatewarden protects ${url} on port ${port}; health and metrics are at ${managementUrl}\n`;
}
