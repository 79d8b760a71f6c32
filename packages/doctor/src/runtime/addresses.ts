import ipaddr from 'ipaddr.js';

export type AddressKind = 'public' | 'loopback' | 'private' | 'link-local' | 'special';

/** What an address is; a mapped IPv4 address is the IPv4 address. Anything that is no address is special. */
export function kindOfAddress(text: string): AddressKind {
  if (!ipaddr.isValid(text)) return 'special';
  const address = ipaddr.process(text);
  switch (address.range()) {
    case 'unicast':
      return address instanceof ipaddr.IPv6 && ((address.toByteArray()[0] ?? 0) & 0xe0) !== 0x20
        ? 'special'
        : 'public';
    case 'loopback':
      return 'loopback';
    case 'private':
    case 'uniqueLocal':
    case 'carrierGradeNat':
      return 'private';
    case 'linkLocal':
      return 'link-local';
    default:
      return 'special';
  }
}

/** Whether a URL names this machine's loopback: localhost, a name below it, 127.0.0.0/8 or [::1]. */
export function isLoopbackUrl(url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  return ipaddr.isValid(host) && kindOfAddress(host) === 'loopback';
}

/** Which addresses may be dialled. */
export type AddressPolicy = {
  /** Everything but multicast, unspecified and reserved ones. */
  readonly allowPrivate: boolean;
  /** The examined server is on this machine, so its authorization server may be too. */
  readonly targetIsLoopback: boolean;
};

/** Link-local addresses stay closed even beside a loopback target: instance metadata of clouds lives there. */
export function mayDial(address: string, policy: AddressPolicy): boolean {
  const kind = kindOfAddress(address);
  if (kind === 'public') return true;
  if (kind === 'special') return false;
  if (policy.allowPrivate) return true;
  return policy.targetIsLoopback && (kind === 'loopback' || kind === 'private');
}
