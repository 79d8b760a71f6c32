import { randomBytes } from 'node:crypto';

/** Milliseconds since 1970 by this machine's clock. */
export const machineNow = (): number => Date.now();

/** 256 bits nobody can guess, as text that needs no escaping in URLs. */
export const unguessable = (): string => randomBytes(32).toString('base64url');
