import { domainToASCII } from 'node:url';

/** An e-mail address that somebody typed, and the form in which addresses are compared and counted. */
export type EmailAddress = { readonly email: string; readonly key: string };

const LONGEST = 254;
/** A dot-atom of RFC 5322 §3.2.3; quoted local parts are left out, nobody has one. */
const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/;

/**
 * Reads an e-mail address. The part before the @ must be ASCII: letters outside of it can fold onto ASCII ones (the Kelvin
 * sign becomes k), and then the mail would go to one mailbox and the account would be another's.
 *
 * @returns undefined when it is not the form of an address we could send to
 */
export function parseEmail(text: string): EmailAddress | undefined {
  const trimmed = text.trim();
  const at = trimmed.lastIndexOf('@');
  const local = trimmed.slice(0, at);
  if (at < 1 || at > 64 || trimmed.length > LONGEST || !LOCAL_PART.test(local)) return undefined;
  const domain = domainToASCII(trimmed.slice(at + 1));
  if (domain !== 'localhost' && !DOMAIN.test(domain)) return undefined;
  const email = `${local}@${domain}`;
  return email.length > LONGEST ? undefined : { email, key: email.toLowerCase() };
}
