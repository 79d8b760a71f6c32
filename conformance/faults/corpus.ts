import { AUTHORIZATION_SERVER } from './corpus/authorization-server.ts';
import { CHALLENGE } from './corpus/challenge.ts';
import { CORS, TRANSPORT } from './corpus/cors-and-transport.ts';
import { HALF_MADE_CHECKS } from './corpus/half-made-checks.ts';
import { KEYS, REGISTRATION } from './corpus/keys-and-registration.ts';
import { LOGIN } from './corpus/login.ts';
import { LOGIN_SECOND_LOOKS } from './corpus/login-second-looks.ts';
import { REACH } from './corpus/reach.ts';
import { RESOURCE_METADATA } from './corpus/resource-metadata.ts';
import { SECOND_LOOKS } from './corpus/second-looks.ts';
import { TOKENS } from './corpus/tokens.ts';
import type { Fault } from './fault.ts';

/** Every faulty server there is. */
export const CORPUS: readonly Fault[] = [
  ...REACH,
  ...CHALLENGE,
  ...TOKENS,
  ...RESOURCE_METADATA,
  ...AUTHORIZATION_SERVER,
  ...KEYS,
  ...REGISTRATION,
  ...CORS,
  ...TRANSPORT,
  ...LOGIN,
  ...HALF_MADE_CHECKS,
  ...SECOND_LOOKS,
  ...LOGIN_SECOND_LOOKS,
];
