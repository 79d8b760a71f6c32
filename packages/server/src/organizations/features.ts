/** A switch of an organization, as answers name it. */
export type Feature = { readonly name: string; readonly enabled: boolean };

/** Every spelling that is understood, with the one that is answered. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['sso', 'sso'],
  ['dir_sync', 'dir_sync'],
  ['directory_sync', 'dir_sync'],
  ['scim', 'dir_sync'],
  ['domain_verification', 'domain_verification'],
  ['session_policy', 'session_policy'],
]);

const ALWAYS_SHOWN = ['sso', 'dir_sync'] as const;

/** The one name of a feature; undefined for one that does not exist. */
export function featureName(spelling: string): string | undefined {
  return NAMES.get(spelling);
}

/** What answers show: single sign-on and directory sync first, then others that were ever set. */
export function featuresOf(set: Readonly<Record<string, boolean>>): Feature[] {
  const names = new Set<string>([...ALWAYS_SHOWN, ...Object.keys(set).sort()]);
  return [...names].map((name) => ({ name, enabled: set[name] ?? false }));
}
