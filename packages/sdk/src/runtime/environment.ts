/** Variables of the process; nothing where a runtime has none. */
export function variable(...names: readonly string[]): string | undefined {
  const host: { readonly env?: Readonly<Record<string, string | undefined>> } | undefined =
    globalThis.process;
  return names
    .map((name) => host?.env?.[name])
    .find((value) => value !== undefined && value !== '');
}
