import { type Fault, PUBLIC, redirectTo, serverMembers } from '../fault.ts';
import { empty } from '../http.ts';
import { weakPublicJwk } from '../keys.ts';
import { keySet, serverDocument } from '../probe.ts';

/** Faults of the published keys. */
export const KEYS: readonly Fault[] = [
  {
    id: 'jwks-missing',
    step: 'keys',
    wrong: 'The address of the key set answers 404.',
    change: ({ place }) => ({
      authorizationFront: async (request, next) =>
        request.path === new URL(`${place.issuer}/keys`).pathname ? empty(404) : next(),
    }),
    visible: async (at) => (await at.fetch(`${at.issuer}/keys`)).status === 404,
  },
  {
    id: 'jwks-empty',
    step: 'keys',
    wrong: 'The key set holds no key, as after a rotation that forgot the second step.',
    change: () => ({ keySet: () => ({ keys: [] }) }),
    visible: async (at) => (await keySet(at)).length === 0,
  },
  {
    id: 'jwks-private-key',
    step: 'keys',
    wrong: 'The whole key store is published, private parts included.',
    change: ({ keys }) => ({ keySet: () => ({ keys: [keys.privateJwk] }) }),
    visible: async (at) => (await keySet(at)).some((key) => 'd' in key),
  },
  {
    id: 'jwks-symmetric-key',
    step: 'keys',
    wrong: 'The secret of an HMAC key stands in the public key set.',
    change: ({ keys }) => ({
      keySet: () => ({
        keys: [
          keys.publicJwk,
          {
            kty: 'oct',
            kid: 'session-1',
            alg: 'HS256',
            k: 'c2hhcmVkLXNlY3JldC1vZi0zMi1ieXRlcy1sb25nISE',
          },
        ],
      }),
    }),
    visible: async (at) => (await keySet(at)).some(({ kty }) => kty === 'oct'),
  },
  {
    id: 'jwks-weak-key',
    step: 'keys',
    wrong: 'An RSA key of 1024 bits, made years ago, is still published for signatures.',
    change: ({ keys }) => {
      const weak = weakPublicJwk();
      return { keySet: () => ({ keys: [keys.publicJwk, weak] }) };
    },
    visible: async (at) => (await keySet(at)).some(({ n }) => String(n).length < 300),
  },
  {
    id: 'jwks-redirects-elsewhere',
    step: 'keys',
    wrong:
      'The key set is a redirect to another host, and whoever owns that host owns every account.',
    names: PUBLIC,
    change: ({ place }) => ({
      authorizationFront: async (request, next) =>
        request.path === new URL(`${place.issuer}/keys`).pathname
          ? redirectTo(`${place.resourceOrigin}/keys.json`)
          : next(),
      resourceFront: async (request, next) => {
        if (request.path !== '/keys.json') return next();
        return redirectTo(`${place.issuer}/keys`);
      },
    }),
    visible: async (at) =>
      (await at.fetch(`${at.issuer}/keys`, { redirect: 'manual' })).status === 307,
  },
];

/** Faults of what a client needs to become known. */
export const REGISTRATION: readonly Fault[] = [
  {
    id: 'registration-missing',
    step: 'registration',
    wrong: 'Clients can neither register nor be known by a metadata document.',
    change: serverMembers(() => ({ registration_endpoint: undefined })),
    visible: async (at) => !('registration_endpoint' in (await serverDocument(at))),
  },
  {
    id: 'registration-insecure',
    step: 'registration',
    wrong: 'The registration endpoint has an http address.',
    names: PUBLIC,
    change: serverMembers(({ issuer }) => ({
      registration_endpoint: `${issuer.replace('https:', 'http:')}/register`,
    })),
    visible: async (at) =>
      String((await serverDocument(at))['registration_endpoint']).startsWith('http:'),
  },
];
