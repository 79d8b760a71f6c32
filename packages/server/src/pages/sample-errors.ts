import { errorPage } from './error-page.ts';
import type { Problem } from './error-problem.ts';
import type { Html } from './html.ts';
import type { Frame } from './layout.ts';
import type { RedirectTarget } from './redirect-target.ts';

/** Every text in a sample that somebody outside chose goes through this, so that tests can put an attack in its place. */
export type Outside = (text: string) => string;

/** One problem of each kind. */
export function sampleProblems(outside: Outside): Problem[] {
  const clientName = outside('Planner');
  const redirect: RedirectTarget = {
    kind: 'web',
    host: outside('connect.planner.example'),
    domain: 'planner.example',
  };
  const returnUrl = outside('https://connect.planner.example/oauth/callback?error=invalid_scope');
  const registered = [
    outside('https://planner.example/callback'),
    outside('https://planner.example/other'),
  ];
  return [
    {
      kind: 'unknown-client',
      clientId: outside('mcp_9f2c7a51d0'),
      clientName: outside('Cursor'),
      deletedAt: new Date('2026-10-01T00:00:00Z'),
      likely: 'cursor',
    },
    {
      kind: 'redirect-uri-not-registered',
      clientName,
      clientId: outside('mcp_9f2c7a51d0'),
      received: outside('https://planner.example/callback/'),
      registered,
    },
    {
      kind: 'document-failed',
      host: outside('planner.example'),
      url: outside('https://planner.example/client.json'),
      reason: outside('The answer had status 404.'),
    },
    {
      kind: 'client-host-not-allowed',
      server: outside('Acme Calendar'),
      host: outside('planner.example'),
      policy: outside('known hosts only'),
    },
    {
      kind: 'documents-off',
      server: outside('Acme Calendar'),
      clientId: outside('https://planner.example/client.json'),
    },
    {
      kind: 'untrusted-client',
      clientName,
      redirect,
      code: outside('invalid_scope'),
      description: outside('scope has a character that is not allowed'),
      returnUrl,
    },
    {
      kind: 'unknown-resource',
      clientName,
      redirect,
      received: outside('https://mcp.acme.example/mcp/'),
      registered: [outside('https://mcp.acme.example/mcp')],
      returnUrl,
    },
    { kind: 'other-browser' },
    {
      kind: 'expired',
      clientName,
      startAgainUrl: outside('https://portal.acme.example/login'),
      age: '14 min, limit 10 min',
    },
    {
      kind: 'cookies-blocked',
      host: outside('auth.acme.example'),
      cookie: outside('__Host-gatewarden'),
    },
    { kind: 'too-many-requests', seconds: 30, limiter: outside('authorize per network') },
    {
      kind: 'unavailable',
      retryUrl: outside('/authorize?request=1'),
      component: outside('database'),
    },
    { kind: 'unexpected', retryUrl: outside('/authorize?request=1') },
    {
      kind: 'no-context',
      missing: [outside('client_id')],
      apps: [{ name: outside('Acme Portal'), url: outside('https://portal.acme.example/') }],
    },
    { kind: 'forbidden' },
    { kind: 'already-decided', clientName },
    {
      kind: 'denied',
      app: outside('Acme Portal'),
      message: outside('Only staff may sign in on weekends.'),
      rule: outside('weekend'),
    },
    { kind: 'suspended', app: outside('Acme Portal') },
    { kind: 'sign-in-unfinished', app: outside('Acme Portal') },
    { kind: 'setup-link-ended' },
    { kind: 'invitation-over' },
    { kind: 'not-found' },
  ];
}

/** The page of each problem, as in development. */
export function errorPages(frame: Frame, outside: Outside): Record<string, Html> {
  const time = new Date('2026-11-21T11:30:00Z');
  const page = (problem: Problem, mode: 'development' | 'production'): Html =>
    errorPage(frame, { problem, mode, time, contact: outside('it@acme.example') });
  return Object.fromEntries(
    sampleProblems(outside).map((problem) => [
      `error-${problem.kind}`,
      page(problem, 'development'),
    ]),
  );
}
