import type { Site } from '../http/edge.ts';
import { isLoopbackHost } from '../runtime/config.ts';
import type { App } from '../runtime/context.ts';
import type { Environment } from './environments.store.ts';
import { allEnvironments } from './environments.ts';

type Known = {
  hosts: ReadonlyMap<string, Site>;
  first: Site | undefined;
  reading: Promise<void> | undefined;
  next: Promise<void> | undefined;
};

/** What each process knows of the environments' hosts, by its database. */
const knowledge = new WeakMap<object, Known>();

/**
 * The environment that a request's host names: exactly one of the configured URLs, in lower case with its port. Development
 * also answers to every name of this machine, with the first environment.
 */
export function siteOf(app: Pick<App, 'db' | 'config'>, host: string): Site | undefined {
  const { hosts, first } = knownOf(app.db);
  const usualPort = app.config.url.startsWith('https:') ? /:443$/ : /:80$/;
  const exact = hosts.get(host) ?? hosts.get(host.replace(usualPort, ''));
  if (exact) return exact;
  const name = host.replace(/:[0-9]+$/, '');
  return app.config.mode === 'dev' && isLoopbackHost(name) ? first : undefined;
}

/** The hosts of all environments, with the port where it is not the usual one. */
export function ownHosts(db: object): readonly string[] {
  return [...knownOf(db).hosts.keys()];
}

/**
 * Reads again which environments there are. Whatever was written before the call is known when it ends, however many ask at
 * once; two reads never overlap, so an older one cannot undo a newer one.
 */
export async function refreshSites(app: Pick<App, 'db'>): Promise<void> {
  const known = knownOf(app.db);
  if (known.next !== undefined) return await known.next;
  const before = known.reading ?? Promise.resolve();
  const next = before
    .catch(() => undefined)
    .then(async () => {
      known.reading = next;
      known.next = undefined;
      learn(known, await allEnvironments(app));
    });
  known.next = next;
  await next;
}

function learn(known: Known, environments: readonly Environment[]): void {
  const hosts = new Map<string, Site>();
  for (const { id, url } of environments) {
    const { host } = new URL(url);
    if (!hosts.has(host)) hosts.set(host, { environmentId: id, issuer: url });
  }
  const [first] = environments;
  known.hosts = hosts;
  known.first = first && { environmentId: first.id, issuer: first.url };
}

function knownOf(db: object): Known {
  const known = knowledge.get(db) ?? {
    hosts: new Map(),
    first: undefined,
    reading: undefined,
    next: undefined,
  };
  knowledge.set(db, known);
  return known;
}
