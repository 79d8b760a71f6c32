import type { RedirectTarget } from './redirect-target.ts';

/**
 * Why somebody sees an error page (hosted-pages 3.9). The problems before "untrusted-client" are found before
 * client and redirect URI are proven: their pages hold no link that came with the request (AS-22).
 */
export type Problem =
  | {
      kind: 'unknown-client';
      clientId: string;
      /** From the tombstone of a removed registration. */
      clientName?: string | undefined;
      deletedAt?: Date | undefined;
      /** Whose steps come first, guessed from the user agent. */
      likely?: ClientProduct | undefined;
    }
  | {
      kind: 'redirect-uri-not-registered';
      clientName: string;
      clientId: string;
      received: string;
      registered: readonly string[];
    }
  | {
      kind: 'document-failed';
      url: string;
      host: string /** Shown in development only (AS-79). */;
      reason?: string | undefined;
    }
  | { kind: 'client-host-not-allowed'; server: string; host: string; policy?: string | undefined }
  | { kind: 'documents-off'; server: string; clientId: string }
  | {
      kind: 'untrusted-client';
      clientName: string;
      redirect: RedirectTarget;
      code: string;
      description: string;
      returnUrl?: string | undefined;
    }
  | {
      kind: 'unknown-resource';
      clientName: string;
      redirect: RedirectTarget;
      received: string | undefined;
      registered: readonly string[];
      returnUrl?: string | undefined;
    }
  | { kind: 'other-browser' }
  | {
      kind: 'expired';
      clientName?: string | undefined /** Initiate-login URL of the client. */;
      startAgainUrl?: string | undefined;
      age?: string | undefined;
    }
  | { kind: 'cookies-blocked'; host: string; cookie: string }
  | { kind: 'too-many-requests'; seconds: number; limiter?: string | undefined }
  | { kind: 'unavailable'; retryUrl?: string | undefined; component?: string | undefined }
  | { kind: 'unexpected'; retryUrl?: string | undefined }
  | {
      kind: 'no-context';
      missing?: readonly string[] | undefined;
      apps?: readonly { name: string; url: string }[] | undefined;
    }
  /** CSRF token, `Origin` or `Sec-Fetch-Site` did not fit (AS-129). */
  | { kind: 'forbidden'; backUrl?: string | undefined }
  /** A second, different decision (AS-128). */
  | { kind: 'already-decided'; clientName: string }
  | {
      kind: 'denied';
      app: string /** Own words of the operator's rule. */;
      message?: string | undefined;
      rule?: string | undefined;
    }
  | { kind: 'suspended'; app: string }
  /** Back from the application's own login page before its backend said who it was (SSO-68). */
  | { kind: 'sign-in-unfinished'; app: string }
  /** A link to the administration portal: opened before, taken back or too old. */
  | { kind: 'setup-link-ended' }
  /** A link of an invitation: accepted, over, withdrawn, or never sent. */
  | { kind: 'invitation-over' }
  | { kind: 'not-found' };

export type ErrorModel = {
  problem: Problem;
  /** Production hides what the operator configured; development shows and compares it. */
  mode: 'development' | 'production';
  time: Date;
  /** Whom people may ask: plain text. */
  contact?: string | undefined;
};

export type ClientProduct = 'claude' | 'chatgpt' | 'cursor' | 'vscode' | 'mcp-remote' | 'inspector';

/** Status and code of each problem (mcp-oauth section D); a JSON answer uses the same. */
export function problemFacts(problem: Problem): { status: number; code: string } {
  if (problem.kind === 'untrusted-client') return { status: 400, code: problem.code };
  return facts[problem.kind];
}

const facts: Readonly<
  Record<Exclude<Problem['kind'], 'untrusted-client'>, { status: number; code: string }>
> = {
  'unknown-client': { status: 400, code: 'invalid_client' },
  'redirect-uri-not-registered': { status: 400, code: 'invalid_request' },
  'document-failed': { status: 400, code: 'invalid_client_metadata_url' },
  'client-host-not-allowed': { status: 400, code: 'invalid_client' },
  'documents-off': { status: 400, code: 'invalid_client' },
  'unknown-resource': { status: 400, code: 'invalid_target' },
  'other-browser': { status: 400, code: 'invalid_state' },
  expired: { status: 400, code: 'login_expired' },
  'cookies-blocked': { status: 400, code: 'invalid_state' },
  'too-many-requests': { status: 429, code: 'temporarily_unavailable' },
  unavailable: { status: 503, code: 'temporarily_unavailable' },
  unexpected: { status: 500, code: 'server_error' },
  'no-context': { status: 400, code: 'invalid_request' },
  forbidden: { status: 403, code: 'invalid_request' },
  'already-decided': { status: 403, code: 'invalid_request' },
  denied: { status: 400, code: 'access_denied' },
  suspended: { status: 403, code: 'access_denied' },
  'sign-in-unfinished': { status: 400, code: 'authentication_not_completed' },
  'setup-link-ended': { status: 400, code: 'LINK_EXPIRED' },
  'invitation-over': { status: 400, code: 'invitation_expired' },
  'not-found': { status: 404, code: 'not_found' },
};
