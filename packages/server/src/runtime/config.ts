import type { Log } from './log.ts';

/** Settings of the process. Read once, in main; everything else gets them handed in. */
export type Config = {
  readonly mode: 'dev' | 'serve';
  /** E of the first environment: canonical, without trailing slash. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly storage:
    | { readonly kind: 'postgres'; readonly url: string }
    | { readonly kind: 'folder'; readonly path: string }
    | { readonly kind: 'memory' };
  /** 32 bytes each; the first writes, all read. */
  readonly secretKeys: readonly Uint8Array[];
  /** Environment client to make sure exists at start. */
  readonly client: { readonly id: string; readonly secret: string } | undefined;
  /** Who owns the first environment while it has no operator. */
  readonly operatorEmail?: string | undefined;
  readonly mail: { readonly smtpUrl: string; readonly from: string } | undefined;
  readonly trustedProxies: readonly string[];
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly metricsToken: string | undefined;
  /** Metadata documents, key sets and logos may be on this machine (development only). */
  readonly allowLoopbackClients: boolean;
  /** Listening beyond loopback in development: what the mailbox and static codes then ask for. */
  readonly exposeToken: string | undefined;
  readonly logLevel: string;
  /** Servers that prove domains, with a port where it is not 53; absent or empty: those of the machine. */
  readonly dnsServers?: readonly string[] | undefined;
  /** Hosts that webhooks may go to although they are internal or http, with the port where it is none of 80 and 443. @default none */
  readonly webhookHosts?: readonly string[] | undefined;
  /** Ids of the environments that may list test users in production. @default none */
  readonly testUserEnvironments?: readonly string[] | undefined;
};

/** A setting that stops the start: one sentence that names it, what it holds and what it should hold. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/**
 * Hosts from GATEWARDEN_WEBHOOK_HOSTS: names or addresses as in URLs, comma separated, each with a port where it is none of
 * 80 and 443.
 *
 * @throws {ConfigError} not a host
 */
export function webhookHosts(value: string | undefined): readonly string[] {
  const hosts = (value ?? '').split(',').map((host) => host.trim());
  const given = hosts.filter((host) => host !== '');
  const wrong = given.find((host) => !isHost(host));
  if (wrong !== undefined)
    throw new ConfigError(
      `GATEWARDEN_WEBHOOK_HOSTS has "${wrong}"; it should have hosts such as billing.internal, 10.0.0.8:8080 or [fd00::8].`,
    );
  return given;
}

/**
 * Ids of environments from GATEWARDEN_ALLOW_TEST_USERS, comma separated.
 *
 * @throws {ConfigError} not an id of an environment
 */
export function testUserEnvironments(value: string | undefined): readonly string[] {
  const ids = (value ?? '').split(',').map((id) => id.trim());
  const given = ids.filter((id) => id !== '');
  const wrong = given.find((id) => !/^env_[0-9]{15,19}$/.test(id));
  if (wrong !== undefined)
    throw new ConfigError(
      `GATEWARDEN_ALLOW_TEST_USERS has "${wrong}"; it should have ids of environments such as env_122056050118122349.`,
    );
  return given;
}

/** In the spelling of URLs, so that it can be compared. */
function isHost(text: string): boolean {
  if (!/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?$/.test(text)) return false;
  return [`http://${text}/`, `https://${text}/`].every(
    (url) => URL.canParse(url) && new URL(url).host === text,
  );
}

type Variables = Readonly<Record<string, string | undefined>>;

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]', '::1']);
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Whether a URL's host is this machine itself, by name or literal. */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK_HOSTS.has(host.toLowerCase());
}

/**
 * Canonical spelling of an environment URL (AS-2, AS-8): https, or http on a loopback host in development; no path slash at
 * the end, no default port, no user info, query or fragment.
 *
 * @throws {ConfigError} names `GATEWARDEN_URL` and what it should hold
 */
export function environmentUrl(value: string, mode: Config['mode']): string {
  const fail = (why: string) => new ConfigError(`GATEWARDEN_URL is "${value}", ${why}.`);
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    throw fail('which is not a URL; give the public address, such as https://auth.example.com');
  }
  if (url.username || url.password || url.search || url.hash)
    throw fail('which has user info, a query or a fragment; give only scheme, host and port');
  // gRPC has no room for a path prefix, and clients that build well-known addresses disagree about one (AS-12).
  if (url.pathname.replace(/\/+$/, '') !== '')
    throw fail('which has a path; give an address of its own, such as https://auth.example.com');
  const loopback = isLoopbackHost(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback && mode === 'dev')) {
    throw fail(
      mode === 'dev'
        ? 'but http is accepted only for localhost, 127.0.0.1 and [::1]; use https'
        : 'but production needs an https address',
    );
  }
  return `${url.protocol}//${url.host}`;
}

/**
 * The operator keys from GATEWARDEN_SECRET_KEY: base64 of 32 bytes each, comma separated.
 *
 * @throws {ConfigError} never repeats what the variable holds
 */
export function secretKeys(value: string): Uint8Array[] {
  return value.split(',').map((text) => {
    const trimmed = text.trim();
    const bytes = Buffer.from(trimmed, 'base64');
    if (
      bytes.length !== 32 ||
      bytes.toString('base64').replace(/=+$/, '') !==
        trimmed.replace(/-/g, '+').replace(/_/g, '/').replace(/=+$/, '')
    ) {
      throw new ConfigError(
        'GATEWARDEN_SECRET_KEY holds a value that is not base64 of 32 bytes; make one with: openssl rand -base64 32',
      );
    }
    return new Uint8Array(bytes);
  });
}

/** @throws {ConfigError} a client id or secret of the wrong form (the secret is never repeated) */
export function environmentClient(variables: Variables): Config['client'] {
  const id = variables['GATEWARDEN_CLIENT_ID'];
  const secret = variables['GATEWARDEN_CLIENT_SECRET'];
  if (!id && !secret) return undefined;
  if (!id || !secret)
    throw new ConfigError(
      `${id ? 'GATEWARDEN_CLIENT_SECRET' : 'GATEWARDEN_CLIENT_ID'} is not set; give both or neither.`,
    );
  if (!/^skc_[0-9]{15,19}$/.test(id))
    throw new ConfigError(
      `GATEWARDEN_CLIENT_ID is "${id}"; it should be skc_ followed by 15 to 19 digits.`,
    );
  if (secret.length < 32)
    throw new ConfigError(
      `GATEWARDEN_CLIENT_SECRET has ${secret.length} characters; it should have at least 32.`,
    );
  return { id, secret };
}

/** @throws {ConfigError} not a whole number between 0 and 65535 */
export function portNumber(name: string, value: string): number {
  const port = Number(value);
  if (!/^[0-9]{1,5}$/.test(value) || port > 65535)
    throw new ConfigError(`${name} is "${value}"; it should be a port number from 0 to 65535.`);
  return port;
}

/** @throws {ConfigError} neither on nor off */
export function flag(name: string, value: string | undefined): boolean {
  if (value === undefined || value === '' || value === '0' || value === 'false') return false;
  if (value === '1' || value === 'true') return true;
  throw new ConfigError(`${name} is "${value}"; it should be 1 or 0.`);
}

/** @throws {ConfigError} not a level of the log */
export function logLevel(value: string | undefined): string {
  const level = value ?? 'info';
  if (!LOG_LEVELS.includes(level))
    throw new ConfigError(`LOG_LEVEL is "${level}"; it should be one of ${LOG_LEVELS.join(', ')}.`);
  return level;
}

/** Warnings about settings that are lawful and dangerous, said once at start. */
export function warnAboutConfig(config: Config, log: Log): void {
  if (config.allowLoopbackClients)
    log.warn(
      {},
      'metadata documents, key sets and logos on this machine are accepted: GATEWARDEN_ALLOW_LOOPBACK_CLIENTS is on',
    );
  if (config.exposeToken !== undefined)
    log.warn(
      {},
      'the development server listens beyond this machine: mailbox and static codes need the printed token',
    );
}
