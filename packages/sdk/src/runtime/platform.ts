/** Name and version of what runs this, for the operator's log; nothing where a runtime does not say. */
export function platformName(): string {
  const host: { readonly version?: string; readonly platform?: string } | undefined =
    globalThis.process;
  if (typeof host?.version !== 'string') return '';
  return `Node/${host.version} (${host.platform ?? 'unknown'})`;
}

type Hmac = { update(data: string | Uint8Array): Hmac; digest(): Uint8Array };
type CreateHmac = (algorithm: string, key: Uint8Array) => Hmac;

/** Node's HMAC, which needs no promise. Absent in runtimes that have Web Crypto alone. */
export function nodeHmac(): CreateHmac | undefined {
  const host: { getBuiltinModule?: (id: string) => unknown } | undefined = globalThis.process;
  const module = host?.getBuiltinModule?.('node:crypto');
  if (typeof module !== 'object' || module === null || !('createHmac' in module)) return undefined;
  // `createHmac` of node:crypto has had this signature since Node 0.1.94.
  return typeof module.createHmac === 'function' ? (module.createHmac as CreateHmac) : undefined;
}
