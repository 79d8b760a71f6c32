type Subscribe = (name: string, listener: (message: unknown) => void) => void;

/** How many requests are under way to each address. */
const watched = new Map<string, number>();
let subscribed = false;

/**
 * Lets the process end while a request to this address waits for its answer. A `fetch` has no such
 * setting; Node tells on a diagnostics channel which socket it uses, and that one is unreferenced until
 * its next use. Does nothing where there is no such channel.
 */
export function waitWithoutHolding(url: string): () => void {
  subscribe();
  watched.set(url, (watched.get(url) ?? 0) + 1);
  return () => {
    const others = (watched.get(url) ?? 1) - 1;
    if (others > 0) watched.set(url, others);
    else watched.delete(url);
  };
}

function subscribe(): void {
  if (subscribed) return;
  subscribed = true;
  const host: { getBuiltinModule?: (id: string) => unknown } | undefined = globalThis.process;
  const module = host?.getBuiltinModule?.('node:diagnostics_channel');
  if (typeof module !== 'object' || module === null || !('subscribe' in module)) return;
  if (typeof module.subscribe !== 'function') return;
  // `subscribe` of node:diagnostics_channel has exactly this signature since Node 18.7.
  (module.subscribe as Subscribe)('undici:client:sendHeaders', releaseSocket);
}

function releaseSocket(message: unknown): void {
  const request = member(message, 'request');
  const url = `${String(member(request, 'origin'))}${String(member(request, 'path'))}`;
  if (!watched.has(url)) return;
  const socket = member(message, 'socket');
  const unref = member(socket, 'unref');
  if (typeof unref === 'function') unref.call(socket);
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
