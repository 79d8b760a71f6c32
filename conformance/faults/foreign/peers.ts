import type { Ending } from '../good-server.ts';
import { startFastMcp } from './fastmcp.ts';
import { startKeycloakShaped } from './keycloak-shaped.ts';
import { startOidcProvider } from './oidc-provider.ts';
import { startSdkExample } from './sdk-example.ts';

/** A server that others wrote. */
export type Peer = {
  readonly name: string;
  readonly about: string;
  /** What the doctor finds, in the order of the report. */
  readonly findings: readonly string[];
  /** Starts it; returns the address of its MCP endpoint. */
  readonly start: (t: Ending) => Promise<string>;
};

export const PEERS: readonly Peer[] = [
  {
    name: 'MCP TypeScript SDK 1.x, example server',
    about:
      'The example of the official SDK, started with `--oauth`: MCP on one port, its demonstration of an authorization server on another.',
    findings: [
      'error-without-token',
      'authorization-crash',
      'as-iss-parameter-missing',
      'preflight-headers-missing',
      'origin-unchecked',
    ],
    start: startSdkExample,
  },
  {
    name: 'FastMCP, OAuth proxy',
    about:
      'A FastMCP server for TypeScript with `auth: new OAuthProvider(…)` as its documentation shows it, in front of another authorization server.',
    findings: [
      'error-without-token',
      'as-iss-parameter-missing',
      'as-public-clients-refused',
      'challenge-not-exposed',
    ],
    start: startFastMcp,
  },
  {
    name: 'oidc-provider with an SDK resource server',
    about:
      'A certified OpenID provider, set up for public clients with PKCE, registration and resource indicators; the MCP server is composed of parts of the official SDK 1.x.',
    findings: [
      'error-without-token',
      'preflight-headers-missing',
      'as-cors-missing',
      'origin-unchecked',
    ],
    start: startOidcProvider,
  },
  {
    name: 'Metadata in the shape of Keycloak with an SDK resource server',
    about:
      'An issuer with a path, discovery of OpenID with the path in front only, the implicit flow still listed and no public clients at the token endpoint.',
    findings: [
      'error-without-token',
      'as-implicit-flow',
      'as-public-clients-refused',
      'preflight-headers-missing',
      'as-cors-missing',
      'origin-unchecked',
    ],
    start: startKeycloakShaped,
  },
];
