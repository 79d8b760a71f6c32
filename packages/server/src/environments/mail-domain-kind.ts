import { DISPOSABLE_MAIL_DOMAINS, PUBLIC_MAIL_DOMAINS } from './mail-domains.ts';

/** Of a domain in lower case, whose addresses belong to nobody's company. Undefined: nothing is known of it. */
export function mailDomainKind(domain: string): 'public' | 'disposable' | undefined {
  if (isBelow(domain, PUBLIC_MAIL_DOMAINS)) return 'public';
  return isBelow(domain, DISPOSABLE_MAIL_DOMAINS) ? 'disposable' : undefined;
}

/** Mail services give out names below their own too, so those are no better. */
function isBelow(domain: string, listed: ReadonlySet<string>): boolean {
  const labels = domain.split('.');
  return labels.some((_label, index) => listed.has(labels.slice(index).join('.')));
}
