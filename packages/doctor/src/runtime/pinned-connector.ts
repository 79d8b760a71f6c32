import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import { type AddressPolicy, mayDial } from './addresses.ts';

const MOST_ADDRESSES_TRIED = 3;
export const TLS_FAILURE =
  /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|EPROTO)/;

/** Why an address was not dialled, carried through undici as the cause of its error. */
export class AddressRefused extends Error {
  override name = 'AddressRefused';
}

export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** The system's resolver, hosts file included: this runs on somebody's own machine. */
export async function systemResolve(hostname: string): Promise<readonly string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

/**
 * Resolves a name once, checks every address of the answer and dials a checked one: a resolver that changes its mind
 * between check and connection has no second chance (DNS rebinding).
 */
export function pinnedConnector(
  policy: AddressPolicy,
  resolve: Resolve,
  timeoutMs: number,
): buildConnector.connector {
  const base = buildConnector({ timeout: timeoutMs, maxCachedSessions: 0 });
  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    checkedAddresses(host, policy, resolve).then(
      (addresses) =>
        dial(base, { ...target, servername: isIP(host) ? '' : host }, addresses, callback),
      (error: unknown) => callback(error instanceof Error ? error : new Error('no address'), null),
    );
  };
}

async function checkedAddresses(
  host: string,
  policy: AddressPolicy,
  resolve: Resolve,
): Promise<readonly string[]> {
  const addresses = isIP(host) ? [host] : await resolve(host);
  for (const address of addresses) {
    if (!mayDial(address, policy))
      throw new AddressRefused(
        host === address
          ? `${host} is not a public address`
          : `${host} leads to ${address}, which is not a public address`,
      );
  }
  return addresses;
}

function dial(
  base: buildConnector.connector,
  target: buildConnector.Options,
  addresses: readonly string[],
  callback: buildConnector.Callback,
): void {
  const attempt = (index: number): void => {
    const address = addresses[index];
    if (address === undefined) {
      callback(Object.assign(new Error('the name has no address'), { code: 'ENOTFOUND' }), null);
      return;
    }
    base({ ...target, hostname: address }, (error, socket) => {
      if (error === null) callback(null, socket);
      else if (
        index + 1 < Math.min(addresses.length, MOST_ADDRESSES_TRIED) &&
        !('code' in error && TLS_FAILURE.test(String(error.code)))
      )
        attempt(index + 1);
      else callback(error, null);
    });
  };
  attempt(0);
}
