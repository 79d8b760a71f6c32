import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorPage } from './error-page.ts';
import { type Problem, problemFacts } from './error-problem.ts';
import { sampleProblems } from './sample-errors.ts';
import { sampleFrame } from './samples.ts';

const time = new Date('2026-11-21T11:30:00Z');
const problems = sampleProblems((text) => text);

function page(problem: Problem, mode: 'development' | 'production' = 'production'): string {
  return errorPage(sampleFrame, { problem, mode, time }).toString();
}

function problem<Kind extends Problem['kind']>(kind: Kind): Extract<Problem, { kind: Kind }> {
  const found = problems.find((one): one is Extract<Problem, { kind: Kind }> => one.kind === kind);
  assert.ok(found, kind);
  return found;
}

test('error pages: each names its code, status and reference and has no form (surface 7, mcp-oauth D)', () => {
  for (const one of problems) {
    const { code, status } = problemFacts(one);
    const markup = page(one);
    assert.match(markup, new RegExp(`<main data-error="${code}">`), one.kind);
    assert.match(markup, new RegExp(`<dd>${status}</dd>`), one.kind);
    assert.match(markup, /Reference <code>req_8f3k2m9x4c<\/code>/, one.kind);
    assert.doesNotMatch(markup, /<form/, one.kind);
  }
  const table: [Problem['kind'], number, string][] = [
    ['unknown-client', 400, 'invalid_client'],
    ['redirect-uri-not-registered', 400, 'invalid_request'],
    ['document-failed', 400, 'invalid_client_metadata_url'],
    ['unknown-resource', 400, 'invalid_target'],
    ['untrusted-client', 400, 'invalid_scope'],
    ['other-browser', 400, 'invalid_state'],
    ['too-many-requests', 429, 'temporarily_unavailable'],
    ['unavailable', 503, 'temporarily_unavailable'],
    ['forbidden', 403, 'invalid_request'],
    ['already-decided', 403, 'invalid_request'],
  ];
  for (const [kind, status, code] of table)
    assert.deepEqual(problemFacts(problem(kind)), { status, code });
});

test('error pages: an unproven client or redirect URI gets no link from the request, only text (AS-22)', () => {
  const hostile = 'https://evil.example/%0d%0aLocation:x';
  const unproven: Problem[] = [
    { ...problem('redirect-uri-not-registered'), received: hostile },
    { ...problem('unknown-client'), clientId: hostile },
    { ...problem('document-failed'), url: hostile },
  ];
  for (const one of unproven) {
    for (const mode of ['development', 'production'] as const) {
      const markup = page(one, mode);
      assert.match(markup, /evil\.example/, one.kind);
      assert.doesNotMatch(markup, /(?:href|src|action)="[^"]*evil/, one.kind);
    }
  }
});

test('error pages: a redirect URI is compared with the nearest registered one in development only (hosted-pages 3.9)', () => {
  const one = problem('redirect-uri-not-registered');
  const development = page(one, 'development');
  assert.match(development, /https:\/\/planner\.example\/callback<del>\/<\/del>/);
  assert.match(development, /https:\/\/planner\.example\/callback<ins><\/ins>/);
  const production = page(one);
  assert.match(production, /https:\/\/planner\.example\/callback\/<\/code>/);
  assert.match(production, /2 values/);
  assert.doesNotMatch(production, /<ins>|planner\.example\/other/);
});

test('error pages: why a metadata document failed is shown in development only (AS-79)', () => {
  const one = problem('document-failed');
  assert.match(page(one, 'development'), /status 404/);
  assert.doesNotMatch(page(one), /status 404/);
  assert.match(page(one), /We couldn&#39;t check planner\.example\./);
});

test('error pages: an untrusted client gets a link to its web host, never to an app scheme or a script (AS-144)', () => {
  const one = problem('untrusted-client');
  assert.match(
    page(one),
    /href="https:\/\/connect\.planner\.example\/oauth\/callback\?error=invalid_scope" rel="noreferrer noopener"><span>Return to/,
  );
  const scheme = page({
    ...one,
    redirect: { kind: 'app', scheme: 'cursor' },
    returnUrl: 'cursor://x?error=a',
  });
  assert.doesNotMatch(scheme, /href="cursor/);
  assert.match(scheme, /go back to <bdi>Planner<\/bdi>/);
  assert.doesNotMatch(page({ ...one, returnUrl: 'javascript:alert(1)' }), /href="javascript/);
});

test('error pages: a removed registration comes with the steps of each known client, the likely one first (AS-22)', () => {
  const names = [...page(problem('unknown-client')).matchAll(/<dt>([A-Za-z -]+)<\/dt>/g)].map(
    ([, name]) => name,
  );
  assert.deepEqual(names.slice(0, 6), [
    'Cursor',
    'Claude',
    'ChatGPT',
    'VS Code',
    'mcp-remote',
    'MCP Inspector',
  ]);
});

test('error pages: Start again goes to a web address or a path of ours, nowhere else', () => {
  const one = problem('expired');
  assert.match(
    page(one),
    /<a class="primary" href="https:\/\/portal\.acme\.example\/login">Start again</,
  );
  assert.match(
    page({ kind: 'unavailable', retryUrl: '/x?y=1' }),
    /<a class="primary" href="\/x\?y=1">Try again</,
  );
  for (const startAgainUrl of [
    'javascript:alert(1)',
    '//evil.example',
    '/\\evil.example',
    undefined,
  ]) {
    const markup = page({ ...one, startAgainUrl });
    assert.doesNotMatch(markup, /Start again|evil|javascript/);
    assert.match(markup, /Start from <bdi>Planner<\/bdi> again/);
  }
});

test('error pages: a page of another browser shows nothing of the flow (AS-30)', () => {
  const markup = page({ kind: 'other-browser' }, 'development');
  assert.match(markup, /Go back to the window where you started\./);
  assert.doesNotMatch(markup, /Planner|Calendar|@/);
});
