import type { EnvironmentSettings } from './environments.store.ts';
import { mailDomainKind } from './mail-domain-kind.ts';

type Rules = Pick<
  EnvironmentSettings,
  'signUpAllowed' | 'blockPublicEmailDomains' | 'blockDisposableEmailDomains'
>;

/**
 * Why nobody new may come in with an address; undefined when they may. Whoever exists already is not asked.
 *
 * @param emailKey the address as it is compared: lower case, its domain in A-labels
 */
export function blockedDomain(
  settings: Omit<Rules, 'signUpAllowed'>,
  emailKey: string,
): 'public' | 'disposable' | undefined {
  const { blockPublicEmailDomains, blockDisposableEmailDomains } = settings;
  if (!blockPublicEmailDomains && !blockDisposableEmailDomains) return undefined;
  const kind = mailDomainKind(emailKey.slice(emailKey.lastIndexOf('@') + 1));
  if (kind === 'public') return blockPublicEmailDomains ? kind : undefined;
  return blockDisposableEmailDomains ? kind : undefined;
}

/** Whether somebody new may make an account with an address. */
export function maySignUp(settings: Rules, emailKey: string): boolean {
  return settings.signUpAllowed && blockedDomain(settings, emailKey) === undefined;
}
