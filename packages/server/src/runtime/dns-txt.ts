import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { ConfigError } from './config.ts';

/** What the DNS says: the texts of a name, none, or nothing that could be relied on. */
export type TxtAnswer =
  | { readonly kind: 'found'; readonly texts: readonly string[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed' };

/** Looks up the TXT records of a name. Never throws. */
export type FindTxt = (name: string) => Promise<TxtAnswer>;

const ATTEMPT_MS = 2_000;
const ATTEMPTS = 2;
/** Names have a handful; one with more is not read to the end. */
const MOST_RECORDS = 100;

/** The server said that there is no such name, or none with such a record; or the name is too long for there to be one. */
const ABSENT: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

/**
 * Asks these servers, or those of the machine. A text in several strings is one text (RFC 1035 §3.3.14, RFC 7208 §3.3), aliases
 * are followed by the servers.
 *
 * @param servers addresses, with a port where it is not 53
 */
export function createFindTxt(servers: readonly string[] = []): FindTxt {
  const resolver = new Resolver({ timeout: ATTEMPT_MS, tries: ATTEMPTS });
  if (servers.length > 0) resolver.setServers(servers);
  return async (name) => {
    try {
      const records = await resolver.resolveTxt(name);
      return {
        kind: 'found',
        texts: records.slice(0, MOST_RECORDS).map((parts) => parts.join('')),
      };
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      return ABSENT.has(code) ? { kind: 'none' } : { kind: 'failed' };
    }
  };
}

/**
 * Servers from GATEWARDEN_DNS_SERVERS: addresses, comma separated, each with a port where it is not 53.
 *
 * @throws {ConfigError} not an address
 */
export function dnsServers(value: string | undefined): readonly string[] {
  const servers = (value ?? '').split(',').map((server) => server.trim());
  const given = servers.filter((server) => server !== '');
  const wrong = given.find((server) => !isServer(server));
  if (wrong !== undefined)
    throw new ConfigError(
      `GATEWARDEN_DNS_SERVERS has "${wrong}"; it should have addresses such as 9.9.9.9, 127.0.0.1:5353 or [2620:fe::fe]:53.`,
    );
  return given;
}

function isServer(text: string): boolean {
  if (isIP(text) !== 0) return true;
  const parts = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})$/i.exec(text);
  const port = Number(parts?.[3]);
  return isIP(parts?.[1] ?? parts?.[2] ?? '') !== 0 && port > 0 && port <= 65_535;
}
