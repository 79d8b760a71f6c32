import type { OpenPaths } from '../../http/cors.ts';

const at = (pattern: RegExp, methods: string): OpenPaths => ({
  matches: (path) => pattern.test(path),
  methods,
});

/**
 * What any web page may call (AS-136): metadata, keys, token, registration, revocation, its feed, userinfo. The authorization
 * endpoint, pages, introspection and management are not on the list (AS-137). For `openCors`.
 */
export const OPEN_PATHS: readonly OpenPaths[] = [
  at(
    /^\/\.well-known\/(oauth-authorization-server|openid-configuration)(\/.*)?$/,
    'GET, HEAD, OPTIONS',
  ),
  at(/^\/resources\/[^/]+\/\.well-known\/[^/]+$/, 'GET, HEAD, OPTIONS'),
  at(/^\/(resources\/[^/]+\/)?keys$/, 'GET, HEAD, OPTIONS'),
  at(/^\/\.well-known\/jwks\.json$/, 'GET, HEAD, OPTIONS'),
  at(/^\/(resources\/[^/]+\/)?oauth\/(token|revoke)$/, 'POST, OPTIONS'),
  at(/^\/resources\/[^/]+\/revocations$/, 'GET, HEAD, OPTIONS'),
  at(/^\/userinfo$/, 'GET, POST, OPTIONS'),
  at(/^\/(resources\/[^/]+\/)?oauth\/userinfo$/, 'GET, POST, OPTIONS'),
  at(/^\/(resources\/[^/]+\/)?oauth\/register(\/.*)?$/, 'GET, POST, PUT, DELETE, OPTIONS'),
  at(/^\/resource-server\/oauth\/register$/, 'POST, OPTIONS'),
  at(/^\/api\/v1\/resources\/[^/]+\/clients:register(\/.*)?$/, 'GET, POST, PUT, DELETE, OPTIONS'),
];
