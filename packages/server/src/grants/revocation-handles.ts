import { sha256 } from '../runtime/hash.ts';

const HANDLE_BYTES = 16;

/**
 * How long a revocation matters at the longest: the longest lifetime of an access token (AS-118) and the largest clock skew of
 * a verifier (RS-20). In milliseconds.
 */
const LONGEST_TOKEN_MS = (86_400 + 300) * 1000;

/**
 * The opaque name of a person or client in the access tokens of one MCP server (AS-124). It says nothing to whoever reads the
 * feed, differs from server to server, and changes when the secret is replaced.
 */
export function revocationHandle(secret: Uint8Array, mcpServerId: string): string {
  const digest = sha256(Buffer.concat([secret, Buffer.from(mcpServerId)]));
  return Buffer.from(digest.subarray(0, HANDLE_BYTES)).toString('base64url');
}

/** A new random handle, for one grant. */
export function newRevocationHandle(app: { random: (bytes: number) => Uint8Array }): string {
  return Buffer.from(app.random(HANDLE_BYTES)).toString('base64url');
}

/** Until when verifiers must remember something revoked now. */
export function mattersUntil(now: Date): Date {
  return new Date(now.getTime() + LONGEST_TOKEN_MS);
}

/** Access tokens issued before this moment have ended by themselves. */
export function oldestLiveToken(now: Date): Date {
  return new Date(now.getTime() - LONGEST_TOKEN_MS);
}
