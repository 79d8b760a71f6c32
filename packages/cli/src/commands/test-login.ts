import type { Command } from 'commander';
import { discover, type IssuerMetadata } from '../application/discovery.ts';
import { withEnvFile } from '../application/env-file.ts';
import { isFinding, printable, printResults, type Result } from '../application/findings.ts';
import { validateVariables } from '../application/validate.ts';
import { readVariables, type Variables } from '../application/variables.ts';
import { EXIT, UsageError } from '../errors.ts';
import type { Io } from '../io.ts';
import { type CallbackListener, listenForCallback } from '../login/callback-listener.ts';
import { walkHostedPages } from '../login/headless.ts';
import { type LoginRun, runLogin } from '../login/login-flow.ts';
import { type LoginClient, registerClient } from '../login/requests.ts';
import { boundedFetch } from '../runtime/bounded-fetch.ts';
import { unguessable } from '../runtime/machine.ts';
import { openInBrowser } from '../runtime/open-browser.ts';

type LoginFlags = {
  mode?: string;
  port?: string;
  clientId?: string;
  scope?: string;
  organizationId?: string;
  connectionId?: string;
  headless?: string;
  paste?: boolean;
  browser?: boolean;
  timeout: string;
  envFile?: string;
  json?: boolean;
};

/** `gatewarden test login`: one whole sign-in, as an application or as an MCP client (SKILL-44, SKILL-67). */
export function testLoginCommand(test: Command, io: Io): void {
  test
    .command('login')
    .alias('flow')
    .description('Sign in once, through a browser, and look at every step and token.')
    .option(
      '--mode <mode>',
      'mcp: as an MCP client; fsa, sso: as an application (default: mcp when a resource id is set)',
    )
    .option('--port <number>', 'where to listen for the redirect (default: a free one)')
    .option('--client-id <id>', 'mcp: use this public client instead of registering one')
    .option('--scope <scopes>', 'scopes to ask for, separated by spaces')
    .option('--organization-id <id>', 'sign in to this organization')
    .option('--connection-id <id>', 'sso: sign in by this connection')
    .option('--headless <email>', 'no browser: a test user (…+sktest@…) fills the pages by itself')
    .option('--paste', 'paste the address at which the browser ended, for a redirect URI elsewhere')
    .option('--no-browser', 'only print the address to open')
    .option('--timeout <seconds>', 'how long to wait for the redirect', '300')
    .option('--env-file <path>', 'read the variables from a file too; what it says counts')
    .option('--json', 'print {"ok","findings"} and nothing else')
    .addHelpText(
      'after',
      `
Reads the variables of "gatewarden validate". As an MCP client it registers itself at the MCP server with that resource id;
as an application it uses client id and secret, and CALLBACK_URL, which must be registered. Nothing is kept, and no code
or token is shown: only claims whose signature was checked.

Exit codes: 0 all is well, 1 a step failed, 2 wrong use, 3 nothing answers.`,
    )
    .action(async (flags: LoginFlags) => await testLogin(flags, io));
}

async function testLogin(flags: LoginFlags, io: Io): Promise<void> {
  checkFlags(flags, io);
  const env = await withEnvFile(io.env, flags.envFile);
  const { variables } = readVariables(env);
  const mode = modeOf(flags, variables);
  const ignored = mode === 'mcp' ? /_CLIENT_(ID|SECRET)/ : /^$/;
  const wrong = validateVariables(env).filter(
    (result) =>
      isFinding(result) &&
      result.severity === 'error' &&
      !ignored.test(result.evidence + result.message),
  );
  if (wrong.length > 0) return printResults(io, flags, wrong);
  const environment = variables.ENVIRONMENT_URL?.value ?? '';
  const resourceId = variables.RESOURCE_ID?.value;
  const issuer = mode === 'mcp' ? `${environment}/resources/${resourceId}` : environment;
  const found = await discover(boundedFetch, issuer);
  if (found.kind === 'unreachable')
    return printResults(io, flags, [found.finding], EXIT.unreachable);
  if (found.kind === 'wrong') return printResults(io, flags, found.results);

  const listener = await listenFor(flags, variables, mode);
  const results: Result[] = [...found.results];
  try {
    const redirectUri = listener?.redirectUri ?? variables.CALLBACK_URL?.value ?? '';
    const client = await clientFor(flags, variables, mode, found.metadata, redirectUri);
    if ('result' in client) results.push(client.result);
    if ('client' in client) {
      await runLogin({
        fetch: boundedFetch,
        random: unguessable,
        metadata: found.metadata,
        client: client.client,
        redirectUri,
        scope:
          flags.scope ??
          (mode === 'mcp' ? 'openid offline_access' : 'openid profile email offline_access'),
        extra: extraOf(flags, resourceId, mode),
        accessToken: {
          issuers: [...new Set([environment, issuer])],
          audiences: mode === 'mcp' && resourceId ? [resourceId] : [client.client.id, environment],
        },
        signIn: (url, state) => signIn(flags, io, listener, redirectUri, url, state),
        report: (result) => void results.push(result),
      } satisfies LoginRun);
    }
  } finally {
    await listener?.close();
  }
  printResults(io, flags, results);
}

/** @throws {UsageError} a flag that would be in the way only after a client was registered and a browser opened */
function checkFlags({ timeout, port = '0', paste, headless }: LoginFlags, io: Io): void {
  const seconds = Number(timeout);
  if (!(seconds > 0 && seconds <= 3_600))
    throw new UsageError('--timeout should be 1 to 3600 seconds.');
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new UsageError(`--port is "${port}"; it should be a port number from 0 to 65535.`);
  if (paste && headless === undefined && !io.ask) throw new UsageError('--paste needs a terminal.');
}

type Mode = 'mcp' | 'fsa' | 'sso';

function modeOf(flags: LoginFlags, variables: Variables): Mode {
  const { mode = variables.RESOURCE_ID ? 'mcp' : 'fsa' } = flags;
  if (mode !== 'mcp' && mode !== 'fsa' && mode !== 'sso')
    throw new UsageError(`--mode is "${mode}"; it should be mcp, fsa or sso.`);
  if (mode === 'mcp' && !variables.RESOURCE_ID)
    throw new UsageError(
      'set GATEWARDEN_RESOURCE_ID to the id of the MCP server (res_…), or use --mode fsa.',
    );
  if (mode === 'sso' && !flags.organizationId && !flags.connectionId)
    throw new UsageError('--mode sso needs --organization-id or --connection-id.');
  return mode;
}

function extraOf(
  flags: LoginFlags,
  resourceId: string | undefined,
  mode: Mode,
): Record<string, string> {
  return {
    ...(mode === 'mcp' && resourceId ? { resource: resourceId } : {}),
    ...(flags.organizationId ? { organization_id: flags.organizationId } : {}),
    ...(flags.connectionId ? { connection_id: flags.connectionId } : {}),
  };
}

/** The listener for the redirect; none where the redirect URI is at another machine, whose address is pasted. */
async function listenFor(
  flags: LoginFlags,
  { CALLBACK_URL }: Variables,
  mode: Mode,
): Promise<CallbackListener | undefined> {
  const port = flags.port ?? '0';
  if (mode === 'mcp' || !CALLBACK_URL)
    return await listenForCallback(new URL(`http://127.0.0.1:${port}/callback`));
  const url = new URL(CALLBACK_URL.value);
  // A test user's pages are walked by this process, which sees the redirect itself.
  if (flags.headless || flags.paste) return undefined;
  if (url.protocol === 'http:') return await listenForCallback(url);
  throw new UsageError(
    `${CALLBACK_URL.name} is not on this machine: register http://localhost:PORT/callback too and set it, or use --paste.`,
  );
}

async function clientFor(
  flags: LoginFlags,
  { CLIENT_ID, CLIENT_SECRET }: Variables,
  mode: Mode,
  { registrationEndpoint }: IssuerMetadata,
  redirectUri: string,
): Promise<{ client: LoginClient; result: Result } | { client: LoginClient } | { result: Result }> {
  if (mode !== 'mcp')
    return { client: { id: CLIENT_ID?.value ?? '', secret: CLIENT_SECRET?.value } };
  if (flags.clientId) return { client: { id: flags.clientId, secret: undefined } };
  const registered = registrationEndpoint
    ? await registerClient(boundedFetch, registrationEndpoint, redirectUri)
    : { error: 'the metadata names no registration endpoint' };
  if ('id' in registered)
    return { client: registered, result: { passed: `registered as the client ${registered.id}` } };
  return {
    result: {
      id: 'LOGIN_REGISTRATION',
      severity: 'error',
      message: `registration: this MCP server registers nobody (${printable(registered.error)})`,
      fix: 'turn dynamic registration on, or name a client with --client-id',
      evidence: registrationEndpoint ?? 'registration_endpoint',
    },
  };
}

async function signIn(
  flags: LoginFlags,
  io: Io,
  listener: CallbackListener | undefined,
  redirectUri: string,
  url: string,
  state: string,
): Promise<URLSearchParams | { stuck: string }> {
  if (flags.headless !== undefined) {
    const walked = await walkHostedPages(boundedFetch, url, redirectUri, flags.headless);
    return walked.kind === 'callback' ? walked.params : { stuck: walked.at };
  }
  io.err(`Open this address in a browser and sign in:\n\n  ${url}\n\n`);
  if (flags.browser !== false) openInBrowser(url);
  if (!listener) return await pasted(io, redirectUri);
  const seconds = Number(flags.timeout);
  const received = await listener.received(state, seconds);
  return received === 'timeout' ? { stuck: `nowhere within ${seconds} s` } : received;
}

async function pasted(io: Io, redirectUri: string): Promise<URLSearchParams | { stuck: string }> {
  if (!io.ask) throw new UsageError('--paste needs a terminal.');
  const text = (await io.ask('Paste the address at which the browser ended: ')).trim();
  if (!URL.canParse(text)) return { stuck: 'no address' };
  return text.startsWith(`${redirectUri}?`)
    ? new URL(text).searchParams
    : { stuck: 'another address' };
}
