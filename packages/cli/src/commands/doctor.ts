import {
  ExamineError,
  type ExamineOptions,
  examine,
  findClient,
  hostSteps,
  knownClients,
  type Report,
  sarifReport,
  textReport,
} from '@gatewarden/doctor';
import type { Command } from 'commander';
import { Ended, EXIT, UsageError } from '../errors.ts';
import type { Io } from '../io.ts';
import { openInBrowser } from '../runtime/open-browser.ts';

type DoctorFlags = {
  client?: string;
  allowPrivate?: boolean;
  json?: boolean;
  sarif?: boolean;
  login?: boolean;
  browser?: boolean;
  clientId?: string;
  clientSecret?: string;
  scope?: string;
  tool?: string;
  timeout: string;
};

const VERSION = '0.1.0';
const MOST_SECONDS = 3_600;

/** `gatewarden doctor URL`: examines any MCP server and its authorization server from outside (SKILL-17, SKILL-69). */
export function doctorCommand(program: Command, io: Io): void {
  program
    .command('doctor')
    .description('Examine any MCP server and its authorization server from outside.')
    .argument('<mcp-url...>', 'address of the MCP endpoint, as people give it to a client')
    .option(
      '--client <name>',
      'tell in detail how this client would fare; exit 1 if it would not get through',
    )
    .option('--allow-private', 'also talk to private and link-local addresses')
    .option('--login', 'sign in with a browser and examine what needs a token')
    .option('--no-browser', 'with --login: only print the address to open')
    .option('--client-id <id>', 'with --login: use this client instead of registering one')
    .option('--client-secret <secret>', 'with --client-id: its secret')
    .option('--scope <scopes>', 'with --login: scopes to ask for, separated by spaces')
    .option('--tool <name>', 'with --login: a tool that needs a scope which is not asked for')
    .option('--timeout <seconds>', 'with --login: how long to wait for the person', '300')
    .option('--json', 'print {"ok","findings",…} and nothing else')
    .option('--sarif', 'print the findings as SARIF 2.1.0 and nothing else')
    .addHelpText(
      'after',
      `
Without --login nothing is changed at either server: no client is registered and no tool is called. At most 10 requests a
second go to one host (50 on this machine). --login registers a client, removes it again where the server allows that,
and says so.

Exit codes: 0 no errors, 1 at least one error, 2 wrong use, 3 nothing answers there, 4 the given client was refused.`,
    )
    .action(async (words: string[], flags: DoctorFlags) => {
      await doctor(targetOf(words), flags, io);
    });
}

/** Also taken: `doctor mcp URL`. */
function targetOf(words: readonly string[]): string {
  const [target, ...others] = words[0] === 'mcp' && words.length > 1 ? words.slice(1) : words;
  if (target === undefined || others.length > 0)
    throw new UsageError('give one address: gatewarden doctor https://mcp.example.com/mcp.');
  return target;
}

async function doctor(target: string, flags: DoctorFlags, io: Io): Promise<void> {
  if (flags.json && flags.sarif)
    throw new UsageError('--json and --sarif exclude each other; leave one out.');
  const client = clientOf(flags);
  const report = await run(target, optionsOf(flags, io));
  const isStopped = report.clients.some(
    ({ name, outcome }) => name === client && outcome === 'stopped',
  );
  const said = isStopped ? { ...report, ok: false } : report;
  print(said, flags, client, io);
  if (!report.reachable && (flags.json || flags.sarif)) throw new Ended(EXIT.unreachable);
  if (!report.reachable) {
    io.err(`gatewarden: ${report.target} does not answer: ${report.unreachableReason}.\n`);
    throw new Ended(EXIT.unreachable);
  }
  if (report.credentialsRefused !== undefined) throw new Ended(EXIT.refused);
  if (!said.ok) throw new Ended(EXIT.failed);
}

function clientOf({ client }: DoctorFlags): string | undefined {
  if (client === undefined) return undefined;
  const known = findClient(client);
  if (known) return known.name;
  throw new UsageError(
    `--client ${JSON.stringify(client)} is not known; known are ${knownClients.map(({ name }) => name).join(', ')}.`,
  );
}

async function run(target: string, options: ExamineOptions): Promise<Report> {
  try {
    return await examine(target, options);
  } catch (error) {
    if (error instanceof ExamineError) throw new UsageError(`${error.message}.`);
    throw error;
  }
}

function optionsOf(flags: DoctorFlags, io: Io): ExamineOptions {
  const isSeen = process.stderr.isTTY || flags.login;
  return {
    allowPrivate: flags.allowPrivate,
    signal: io.stop,
    onProgress: isSeen ? (line) => io.err(`… ${line}\n`) : undefined,
    login: loginOf(flags, io),
  };
}

function loginOf(flags: DoctorFlags, io: Io): ExamineOptions['login'] {
  if (!flags.login) {
    const needing = (['clientId', 'clientSecret', 'scope', 'tool'] as const).find(
      (name) => flags[name] !== undefined,
    );
    if (needing !== undefined)
      throw new UsageError(
        `--${needing.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} belongs to --login; add that.`,
      );
    return undefined;
  }
  if (flags.clientSecret !== undefined && flags.clientId === undefined)
    throw new UsageError('--client-secret needs --client-id.');
  const timeoutSeconds = Number(flags.timeout);
  if (!Number.isInteger(timeoutSeconds) || timeoutSeconds < 1 || timeoutSeconds > MOST_SECONDS)
    throw new UsageError(`--timeout is a number of seconds from 1 to ${MOST_SECONDS}.`);
  return {
    clientId: flags.clientId,
    clientSecret: flags.clientSecret,
    scopes: flags.scope?.split(/\s+/).filter((scope) => scope !== ''),
    tool: flags.tool,
    timeoutSeconds,
    openBrowser: async (url) => {
      io.err(`Open this address to go on:\n  ${url}\n`);
      if (flags.browser !== false) openInBrowser(url);
    },
  };
}

function print(report: Report, flags: DoctorFlags, client: string | undefined, io: Io): void {
  const clients = report.clients.filter(({ name }) => client === undefined || name === client);
  if (flags.json) {
    const { ok, findings, ...rest } = report;
    io.out(`${JSON.stringify({ ok, findings, ...rest, clients })}\n`);
  } else if (flags.sarif) io.out(`${JSON.stringify(sarifReport(report, VERSION))}\n`);
  else if (report.reachable) {
    // An empty NO_COLOR is no wish (no-color.org).
    const color = !io.env['NO_COLOR'] && process.stdout.isTTY;
    io.out(textReport(report, { color, client }));
    if (report.ok && client === undefined) io.out(hostSteps(report.target));
  }
}
