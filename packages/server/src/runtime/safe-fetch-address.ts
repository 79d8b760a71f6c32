import ipaddr from 'ipaddr.js';

/**
 * Whether an address may be dialled for a stranger (AS-73). Only global unicast is: everything else that IANA gives a meaning
 * to (loopback, private, link-local, site-local, unique local, carrier-grade NAT, multicast, unspecified, documentation,
 * benchmarking, reserved, 6to4, Teredo, NAT64, AS112 …) is refused, and so is what lies outside of 2000::/3. An IPv4 address
 * in IPv6 clothing counts as what it is.
 */
export function isPublicAddress(text: string): boolean {
  const address = parse(text);
  if (!address) return false;
  if (address instanceof ipaddr.IPv4) return isPublicIpv4(address);
  const bytes = address.toByteArray();
  if (isMapped(bytes)) return isPublicIpv4(new ipaddr.IPv4(bytes.slice(12)));
  return address.range() === 'unicast' && ((bytes[0] ?? 0) & 0xe0) === 0x20;
}

/** Whether an address is this machine's own loopback: 127.0.0.0/8 or ::1, nothing in disguise. */
export function isLoopback(text: string): boolean {
  return parse(text)?.range() === 'loopback';
}

/** One spelling for each address, so that two can be compared; a mapped IPv4 address is the IPv4 address. */
export function addressKey(text: string): string | undefined {
  const address = parse(text);
  if (!address) return undefined;
  const bytes = address.toByteArray();
  const plain = bytes.length === 16 && isMapped(bytes) ? bytes.slice(12) : bytes;
  return Buffer.from(plain).toString('hex');
}

function isPublicIpv4(address: ipaddr.IPv4): boolean {
  return address.range() === 'unicast';
}

function isMapped(bytes: readonly number[]): boolean {
  return bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
}

/** Zone ids and every short spelling (`127.1`, `0x7f.1`) are refused: a resolver never gives them. */
function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!/^[0-9a-fA-F:.]+$/.test(text) || !ipaddr.IPv6.isValid(text)) return undefined;
  return ipaddr.IPv6.parse(text);
}
