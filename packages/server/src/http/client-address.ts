import ipaddr from 'ipaddr.js';

type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Says which address a request came from, given the socket's address and the `X-Forwarded-For` it brought. */
export type ClientAddress = (
  socketAddress: string | undefined,
  forwardedFor: string | undefined,
) => string;

/**
 * The caller's address for rate limits and logs, and for nothing else (AS-5). `X-Forwarded-For` is read from its end and only
 * while each hop is one of our own proxies, so a caller cannot write itself another address.
 *
 * @param trustedProxies addresses or CIDR ranges
 * @throws {Error} names an entry that is neither
 */
export function clientAddressFrom(trustedProxies: readonly string[]): ClientAddress {
  const ranges = trustedProxies.map(parseRange);
  const trusted = (address: string): boolean => {
    const parsed = ipaddr.process(address);
    return ranges.some(([base, bits]) => base.kind() === parsed.kind() && parsed.match(base, bits));
  };
  return (socketAddress, forwardedFor) => {
    let address = normal(socketAddress ?? '') ?? '';
    if (ranges.length === 0 || forwardedFor === undefined) return address;
    const hops = forwardedFor.slice(-2000).split(',').reverse();
    for (const hop of hops) {
      if (address === '' || !trusted(address)) return address;
      const previous = normal(hop.trim());
      if (previous === undefined) return address;
      address = previous;
    }
    return address;
  };
}

function parseRange(text: string): Range {
  try {
    if (text.includes('/')) return ipaddr.parseCIDR(text);
    const address = ipaddr.process(text);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  } catch {
    throw new Error(
      `"${text}" in GATEWARDEN_TRUSTED_PROXIES is neither an address nor a range such as 10.0.0.0/8.`,
    );
  }
}

/** One spelling for each address: IPv4 in IPv6 clothing becomes IPv4, a zone or a port is not accepted. */
function normal(text: string): string | undefined {
  return ipaddr.isValid(text) ? ipaddr.process(text).toString() : undefined;
}
