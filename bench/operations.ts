import type { Body, Job } from './load.ts';
import { SAME, type Target } from './target.ts';

/** What is measured, the same at every server. */
export type Operation = {
  readonly name: string;
  /** Whether a server that keeps its data has to write for it. */
  readonly writes: boolean;
  /** Codes that one request uses up. */
  readonly codes: 0 | 1;
  jobOf(target: Target, amount: Amount): Job;
};
export type Amount = {
  readonly connections: number;
  readonly milliseconds: number;
  /** Codes for this measurement. */
  readonly codes: readonly string[];
};

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

let registrations = 0;

export const OPERATIONS: readonly Operation[] = [
  {
    name: 'client_credentials',
    writes: true,
    codes: 0,
    jobOf: (target, amount) => {
      const { id, secret } = target.material.machine;
      const basic = Buffer.from(`${id}:${secret}`).toString('base64');
      const text = form({ grant_type: 'client_credentials', scope: SAME.scopes.join(' ') });
      return {
        ...tokenJob(target, amount, { kind: 'same', text }),
        headers: { ...FORM, authorization: `Basic ${basic}` },
      };
    },
  },
  {
    name: 'code exchange',
    writes: true,
    codes: 1,
    jobOf: (target, amount) => {
      const before = `${form({
        grant_type: 'authorization_code',
        client_id: target.material.clientId,
        redirect_uri: SAME.redirectUri,
        code_verifier: SAME.verifier,
      })}&code=`;
      return tokenJob(target, amount, { kind: 'once', before, values: amount.codes });
    },
  },
  {
    name: 'refresh',
    writes: true,
    codes: 0,
    jobOf: (target, amount) => {
      const before = `${form({ grant_type: 'refresh_token', client_id: target.material.clientId })}&refresh_token=`;
      return tokenJob(target, amount, { kind: 'rotating', before, values: target.refreshTokens });
    },
  },
  {
    name: 'registration',
    writes: true,
    codes: 0,
    jobOf: (target, amount) => {
      const [before = '', after = ''] = JSON.stringify({
        client_name: 'Bench client #',
        redirect_uris: [SAME.redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic',
      }).split('#');
      registrations += 1_000_000;
      return {
        ...jobFor(target, amount),
        method: 'POST',
        path: target.endpoints.registration,
        headers: { 'content-type': 'application/json' },
        body: { kind: 'counted', before, after, from: registrations },
        expect: 201,
      };
    },
  },
  {
    name: 'metadata',
    writes: false,
    codes: 0,
    jobOf: (target, amount) => ({ ...jobFor(target, amount), path: target.endpoints.metadata }),
  },
  {
    name: 'key set',
    writes: false,
    codes: 0,
    jobOf: (target, amount) => ({ ...jobFor(target, amount), path: target.endpoints.keys }),
  },
];

function tokenJob(target: Target, amount: Amount, body: Body): Job {
  return {
    ...jobFor(target, amount),
    method: 'POST',
    path: target.endpoints.token,
    headers: FORM,
    body,
  };
}

function jobFor(target: Target, { connections, milliseconds }: Amount): Job {
  return {
    port: target.port,
    connections,
    milliseconds,
    method: 'GET',
    path: '/',
    headers: {},
    body: { kind: 'same', text: '' },
    expect: 200,
  };
}

function form(fields: Readonly<Record<string, string>>): string {
  return new URLSearchParams(fields).toString();
}
