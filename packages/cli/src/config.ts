import {
  type Config,
  ConfigError,
  dnsServers,
  environmentClient,
  flag,
  isLoopbackHost,
  logLevel,
  testUserEnvironments,
  webhookHosts,
} from '@gatewarden/server';
import type { Io } from './io.ts';

type Variables = Io['env'];

/** What both kinds of server read in the same way. */
export async function commonConfig(
  env: Variables,
  readFile: (path: string) => Promise<string>,
): Promise<
  Pick<
    Config,
    | 'client'
    | 'operatorEmail'
    | 'mail'
    | 'trustedProxies'
    | 'tls'
    | 'metricsToken'
    | 'logLevel'
    | 'dnsServers'
    | 'webhookHosts'
    | 'testUserEnvironments'
  >
> {
  return {
    client: environmentClient(env),
    operatorEmail: env['GATEWARDEN_OPERATOR_EMAIL'] || undefined,
    mail: mailConfig(env),
    trustedProxies: list(env['GATEWARDEN_TRUSTED_PROXIES']),
    tls: await tlsConfig(env, readFile),
    metricsToken: env['GATEWARDEN_METRICS_TOKEN'] || undefined,
    logLevel: logLevel(env['LOG_LEVEL']),
    dnsServers: dnsServers(env['GATEWARDEN_DNS_SERVERS']),
    webhookHosts: webhookHosts(env['GATEWARDEN_WEBHOOK_HOSTS']),
    testUserEnvironments: testUserEnvironments(env['GATEWARDEN_ALLOW_TEST_USERS']),
  };
}

/** @throws {ConfigError} SMTP_URL is not smtp:// or smtps://, or MAIL_FROM is missing beside it */
function mailConfig(env: Variables): Config['mail'] {
  const smtpUrl = env['SMTP_URL'];
  if (!smtpUrl) return undefined;
  // The URL may hold a password, so it is not repeated.
  if (!/^smtps?:\/\/[^\s]+$/.test(smtpUrl))
    throw new ConfigError(
      'SMTP_URL does not begin with smtp:// or smtps://; give the address of a mail server.',
    );
  const from = env['MAIL_FROM'];
  if (!from || !/^[^\r\n]*[^@\s]+@[^@\s]+$/.test(from.replace(/>$/, '')))
    throw new ConfigError(
      `MAIL_FROM is "${from ?? ''}"; with SMTP_URL it should be the address that mail comes from.`,
    );
  return { smtpUrl, from };
}

/** @throws {ConfigError} one of the two is missing or cannot be read */
async function tlsConfig(
  env: Variables,
  readFile: (path: string) => Promise<string>,
): Promise<Config['tls']> {
  const certPath = env['GATEWARDEN_TLS_CERT'];
  const keyPath = env['GATEWARDEN_TLS_KEY'];
  if (!certPath && !keyPath) return undefined;
  if (!certPath || !keyPath)
    throw new ConfigError(
      `${certPath ? 'GATEWARDEN_TLS_KEY' : 'GATEWARDEN_TLS_CERT'} is not set; https needs both PEM files.`,
    );
  const read = async (name: string, path: string): Promise<string> => {
    try {
      return await readFile(path);
    } catch {
      throw new ConfigError(`${name} is "${path}", which cannot be read; it should be a PEM file.`);
    }
  };
  return {
    cert: await read('GATEWARDEN_TLS_CERT', certPath),
    key: await read('GATEWARDEN_TLS_KEY', keyPath),
  };
}

/** @throws {ConfigError} not a postgres:// address (never repeated: it may hold a password) */
export function databaseUrl(env: Variables): string | undefined {
  const url = env['DATABASE_URL'];
  if (!url) return undefined;
  if (!/^postgres(ql)?:\/\//.test(url))
    throw new ConfigError(
      'DATABASE_URL does not begin with postgres://; leave it out to use the embedded database.',
    );
  return url;
}

export function isOn(env: Variables, name: string): boolean {
  return flag(name, env[name]);
}

export function listensBeyondLoopback(host: string): boolean {
  return !isLoopbackHost(host);
}

function list(value: string | undefined): string[] {
  return (value ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
