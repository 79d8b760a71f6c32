import type { FastifyInstance } from 'fastify';

type KnownRoute = { readonly pattern: RegExp; readonly methods: readonly string[] };

/** Which methods a path answers to; empty when no route has this path. */
export type MethodsOf = (path: string) => string[];

/**
 * Watches the routes that are added from now on, so that a known path with the wrong method can be told from an unknown
 * path (RFC 9110 §15.5.6). Catch-all routes are left out: they answer for themselves.
 */
export function watchRoutes(app: FastifyInstance): MethodsOf {
  const routes: KnownRoute[] = [];
  app.addHook('onRoute', (route) => {
    if (route.url.endsWith('*')) return;
    routes.push({ pattern: toPattern(route.url), methods: [route.method].flat() });
  });
  return (path) => {
    const bare = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
    const methods = routes
      .filter((route) => route.pattern.test(bare))
      .flatMap((route) => route.methods);
    return [...new Set(methods)].sort();
  };
}

/** A route's template as an expression: `:name` takes one segment, `::` is a literal colon (`clients::register`). */
function toPattern(template: string): RegExp {
  const parts = template.split(/(::|:[A-Za-z_]\w*)/);
  const source = parts.map((part) => {
    if (part === '::') return ':';
    if (/^:\w/.test(part)) return '[^/]+';
    return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  const text = source.join('');
  return new RegExp(`^${text.length > 1 && text.endsWith('/') ? text.slice(0, -1) : text}$`);
}
