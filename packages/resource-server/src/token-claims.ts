import type { TokenDetails } from './auth.ts';
import type { RefusalReason } from './errors.ts';
import type { Trust } from './trust.ts';

export type Identity = {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly expiresAt: number;
  readonly details: TokenDetails;
};

type Claims = Readonly<Record<string, unknown>>;

/** Takes the caller out of the claims of an access token whose `iss` and `exp` were checked (RS-22, RS-24). */
export function readIdentity(claims: Claims, trust: Trust): Identity | RefusalReason {
  const subject = text(claims['sub']);
  const clientId = text(claims['client_id'] ?? claims['azp']);
  const issuer = text(claims['iss']);
  if (subject === undefined || clientId === undefined || issuer === undefined)
    return 'missing_claim';
  const scopes = trust.own ? ownScopes(claims, trust.dropIn) : foreignScopes(claims);
  if (!scopes) return 'scope_mismatch';
  const details: TokenDetails = {
    issuer,
    subject,
    organizationId: text(claims['org_id'] ?? claims['oid']),
    tokenId: text(claims['jti']),
    machine: trust.own ? claims['gty'] === 'client-credentials' : subject === clientId,
    claims,
  };
  deepFreeze(details);
  return {
    clientId,
    scopes: Object.freeze(scopes),
    expiresAt: Math.floor(Number(claims['exp'])),
    details,
  };
}

/** `scope` decides; an array `scopes` beside it must say the same, or one of two readers would be wrong. */
function ownScopes(claims: Claims, eitherAlone = false): string[] | undefined {
  const { scope, scopes } = claims;
  if (eitherAlone && scope === undefined && Array.isArray(scopes)) return scopeList(scopes, true);
  const granted = scope === undefined ? [] : scopeList(scope, false);
  if (!granted || scopes === undefined) return granted;
  const repeated = Array.isArray(scopes) ? scopeList(scopes, true) : undefined;
  const same =
    repeated?.length === granted.length && repeated.every((name) => granted.includes(name));
  return same ? granted : undefined;
}

/** Authorization servers of others spell it `scope`, `scp` or `scopes`, as a string or an array. */
function foreignScopes(claims: Claims): string[] | undefined {
  const present = [claims['scope'], claims['scp'], claims['scopes']].find(
    (value) => value !== undefined,
  );
  return present === undefined ? [] : scopeList(present, true);
}

function scopeList(value: unknown, arrayAllowed: boolean): string[] | undefined {
  const names: readonly unknown[] | undefined =
    typeof value === 'string'
      ? value.split(' ').filter((name) => name !== '')
      : arrayAllowed && Array.isArray(value)
        ? value
        : undefined;
  return names?.every(isScopeToken) ? [...new Set(names)] : undefined;
}

/** RFC 6749 §3.3: printable ASCII without space, quote and backslash. */
export function isScopeToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/.test(value);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= 1_024 ? value : undefined;
}

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
}
