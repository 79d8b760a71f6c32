import { pino } from 'pino';

/** Structured log. Values that could be secrets are never passed to it; the redaction below is the second line of defence. */
export type Log = {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'set-cookie',
  'client_secret',
  'clientSecret',
  'code',
  'code_verifier',
  'codeVerifier',
  'access_token',
  'accessToken',
  'refresh_token',
  'refreshToken',
  'id_token',
  'idToken',
  'client_assertion',
  'clientAssertion',
  'assertion',
  'password',
  'SAMLResponse',
  'token',
];

/** A log that writes JSON lines to standard error, so that standard output stays free for what a command prints. */
export function createLog(
  level: string,
  destination: { write(line: string): void } = process.stderr,
): Log {
  return pino(
    {
      level,
      base: null,
      redact: {
        paths: SECRET_FIELDS.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]),
        censor: '[redacted]',
      },
    },
    destination,
  );
}

/** Says nothing: for tests and for commands that only print. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
