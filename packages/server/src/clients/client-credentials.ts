import { OAuthError } from '../oauth/oauth-error.ts';
import { JWT_BEARER } from './client-assertion.ts';

/** What a request says about its client, as sent. */
export type Credentials =
  | { readonly kind: 'none'; readonly clientId: string | undefined }
  | { readonly kind: 'secret'; readonly clientId: string | undefined; readonly secret: string }
  | {
      readonly kind: 'assertion';
      readonly clientId: string | undefined;
      readonly assertion: string;
      readonly typeIsJwtBearer: boolean;
    };

const LONGEST_HEADER = 8192;

/**
 * Reads the one method a request uses (RFC 6749 section 2.3: never more than one). Basic credentials have two readings, in the
 * order in which they are tried: form-decoded as the RFC wants them, and raw as many clients send them (AS-86).
 *
 * @throws {OAuthError} invalid_request: more than one method
 * @throws {OAuthError} invalid_client: an Authorization header that is not Basic, or is unreadable, or names another client than the body
 */
export function presentedCredentials(request: {
  readonly form: Readonly<Record<string, string | undefined>>;
  readonly authorization: string | undefined;
}): { readonly candidates: readonly Credentials[] } {
  const { form } = request;
  const clientId = form['client_id'];
  const secret = form['client_secret'];
  const assertion = form['client_assertion'];
  const assertionType = form['client_assertion_type'];
  const assertionGiven = assertion !== undefined || assertionType !== undefined;
  const besideBody = secret !== undefined || assertionGiven;
  const authorization =
    besideBody && isBearer(request.authorization) ? undefined : request.authorization;
  if (
    [authorization !== undefined, secret !== undefined, assertionGiven].filter(Boolean).length > 1
  ) {
    throw new OAuthError('invalid_request', 'the client used more than one way to authenticate');
  }
  if (authorization !== undefined) return { candidates: basicReadings(authorization, clientId) };
  if (assertionGiven)
    return {
      candidates: [
        {
          kind: 'assertion',
          clientId,
          assertion: assertion ?? '',
          typeIsJwtBearer: assertionType === JWT_BEARER,
        },
      ],
    };
  return {
    candidates: [
      secret === undefined ? { kind: 'none', clientId } : { kind: 'secret', clientId, secret },
    ],
  };
}

/** A token authenticates no client (RFC 6749 section 2.3.1), and the vendor's Python SDK sends its own with every request. */
function isBearer(authorization: string | undefined): boolean {
  return /^Bearer /i.test(authorization ?? '');
}

function basicReadings(authorization: string, bodyClientId: string | undefined): Credentials[] {
  const refused = (description: string): OAuthError =>
    new OAuthError('invalid_client', description, { wwwAuthenticate: 'Basic realm="OAuth"' });
  const encoded = /^Basic +([A-Za-z0-9+/_=-]+) *$/i.exec(
    authorization.slice(0, LONGEST_HEADER),
  )?.[1];
  if (encoded === undefined) throw refused('the Authorization header is not HTTP Basic');
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0 || text.includes('\0')) throw refused('the Authorization header is not HTTP Basic');
  const raw = { clientId: text.slice(0, colon), secret: text.slice(colon + 1) };
  const decoded = { clientId: formDecode(raw.clientId), secret: formDecode(raw.secret) };
  const readings = [
    ...(decoded.clientId === undefined || decoded.secret === undefined
      ? []
      : [{ clientId: decoded.clientId, secret: decoded.secret }]),
    ...(decoded.clientId === raw.clientId && decoded.secret === raw.secret ? [] : [raw]),
  ].filter((reading) => bodyClientId === undefined || reading.clientId === bodyClientId);
  if (readings.length === 0)
    throw refused('client_id in the body is not the client of the Authorization header');
  return readings.map((reading) =>
    reading.secret === ''
      ? { kind: 'none', clientId: reading.clientId }
      : { kind: 'secret', ...reading },
  );
}

/** RFC 6749 appendix B; undefined for what is not encoded that way. */
function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
