import { domainToASCII } from 'node:url';
import { parse } from 'tldts';
import { mailDomainKind } from '../environments/mail-domain-kind.ts';

/** Why a text cannot be the domain of an organization. */
export type DomainNameProblem =
  | 'not-a-domain'
  | 'public-suffix'
  | 'public-mail'
  | 'disposable-mail';

export type DomainName =
  | { readonly kind: 'domain'; readonly domain: string }
  | { readonly kind: 'problem'; readonly problem: DomainNameProblem };

const LONGEST = 253;

/**
 * A domain as it is stored and compared: lower case, A-labels, no final dot. Undefined for what is not a complete name: an
 * address, a pattern, a single label.
 */
export function canonicalDomain(text: string): string | undefined {
  // Before the name is folded: the conversion of names drops characters that a person would see.
  if (/[\s/\\@:*?#%[\]_]/.test(text)) return undefined;
  const domain = domainToASCII(text.replace(/\.$/, '')).toLowerCase();
  if (domain.length < 4 || domain.length > LONGEST) return undefined;
  const labels = domain.split('.');
  if (labels.length < 2 || !labels.every(isLabel)) return undefined;
  return /[a-z]/.test(labels.at(-1) ?? '') ? domain : undefined;
}

function isLabel(label: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label);
}

/**
 * What an organization may claim. Names that everybody can get an address or a name below lead nowhere: a public suffix, a
 * public mail service, one for throw-away addresses.
 */
export function organizationDomain(text: string): DomainName {
  const domain = canonicalDomain(text);
  if (domain === undefined) return { kind: 'problem', problem: 'not-a-domain' };
  const found = parse(domain, { allowPrivateDomains: true });
  if (found.isIp === true) return { kind: 'problem', problem: 'not-a-domain' };
  if (found.domain === null) return { kind: 'problem', problem: 'public-suffix' };
  const kind = mailDomainKind(domain);
  if (kind !== undefined) return { kind: 'problem', problem: `${kind}-mail` };
  return { kind: 'domain', domain };
}
