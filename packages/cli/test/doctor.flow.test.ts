import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { examine, type Report } from '@gatewarden/doctor';
import { authorizeWith, cookieBrowser } from '@gatewarden/server/testing';
import { main } from '../src/index.ts';
import { runCommand, type Spawned, spawnDev } from './spawn-dev.ts';

type Demo = { readonly site: Spawned; readonly folder: string; readonly mcpUrl: string };
type Ran = { readonly code: number; readonly out: string; readonly errors: string };

/** The command in this process, as a program would call it. */
async function doctor(...args: string[]): Promise<Ran> {
  return await doctorWith(() => undefined, ...args);
}

/** The same, with somebody who reads what is written to standard error. */
async function doctorWith(read: (text: string) => void, ...args: string[]): Promise<Ran> {
  let out = '';
  let errors = '';
  const code = await main(['doctor', ...args], {
    env: {},
    out: (text) => {
      out += text;
    },
    err: (text) => {
      errors += text;
      read(text);
    },
    exitOnSignal: false,
  });
  return { code, out, errors };
}

async function startDemo(t: TestContext): Promise<Demo> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-doctor-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const flags = ['--memory', '--demo', '--port', '0', '--demo-port', '0'];
  const site = await spawnDev(t, { cwd: folder, flags });
  assert.ok(site.ready.demo);
  return { site, folder, mcpUrl: site.ready.demo.mcpUrl };
}

/** A person without scripts who agrees to what is asked, and whose browser follows the redirect to the doctor. */
function person(environmentUrl: string): (url: string) => Promise<void> {
  const browser = cookieBrowser(environmentUrl);
  return async (url) => {
    const { location } = await authorizeWith(browser, url, 'doctor+sktest@example.com');
    await (await fetch(location)).text();
  };
}

const messages = (report: Report): string[] =>
  report.findings.map(({ id, message, evidence }) => `${id}: ${message} (${evidence})`);

test('our own demo has no finding, from outside and after a real sign-in; the command says so with exit codes, and with --json in one object (SKILL-17, SKILL-69)', {
  timeout: 120_000,
}, async (t) => {
  const { site, folder, mcpUrl } = await startDemo(t);

  const outside = await examine(mcpUrl);
  assert.deepEqual(messages(outside), []);
  assert.deepEqual(
    outside.steps.filter(({ outcome }) => outcome !== 'passed').map(({ step }) => step),
    ['login'],
  );

  const visit = person(site.ready.environmentUrl);
  const visits: Promise<void>[] = [];
  const ran = await doctorWith(
    (text) => {
      const url = /^Open this address to go on:\n {2}(\S+)\n$/.exec(text)?.[1];
      if (url !== undefined) visits.push(visit(url));
    },
    ...[mcpUrl, '--login', '--no-browser', '--timeout', '30', '--json'],
  );
  await Promise.all(visits);
  assert.equal(visits.length, 2);
  const inside = JSON.parse(ran.out) as Report;
  assert.deepEqual(messages(inside), []);
  assert.equal(ran.code, 0, ran.errors);
  assert.ok(inside.steps.every(({ outcome }) => outcome === 'passed'));
  const notes = inside.steps.find(({ step }) => step === 'login')?.notes.join('\n') ?? '';
  assert.match(notes, /The client "m2m_\d+" \("Gatewarden doctor"\) was registered and stays/);
  // Looked at, and not given up on: a scope was really missing, another resource really asked for.
  assert.match(notes, /issues no token for a resource it does not know/);
  assert.doesNotMatch(notes, /No tool was found|could not be seen/);

  // As its own process: nothing but the object reaches standard output.
  const clean = await runCommand(['doctor', 'mcp', mcpUrl, '--json'], { cwd: folder });
  assert.equal(clean.code, 0, clean.errors);
  const report = JSON.parse(clean.out) as Report;
  assert.deepEqual(
    [report.ok, report.findings, Object.keys(report).slice(0, 2)],
    [true, [], ['ok', 'findings']],
  );
  assert.equal(clean.errors, '');

  const people = await doctor(mcpUrl);
  assert.equal(people.code, 0);
  assert.match(people.out, /✓ transport/);
  assert.match(people.out, /Nothing found/);
  // It says above that Claude.ai cannot come here; what is left to try does not contradict that.
  assert.match(people.out, /Claude Desktop .*Connectors.*: needs an https address/);
  assert.doesNotMatch(people.out, /Add custom connector": http:/);

  // Another spelling of the host: what a strict client would be told.
  const otherName = await doctor(mcpUrl.replace('localhost', '127.0.0.1'), '--json');
  assert.equal(otherName.code, 1);
  assert.deepEqual(
    (JSON.parse(otherName.out) as Report).findings.map(({ id }) => id),
    ['prm-resource-mismatch'],
  );

  const stopped = await doctor(mcpUrl, '--client', 'chatgpt', '--json');
  assert.deepEqual([stopped.code, (JSON.parse(stopped.out) as Report).ok], [1, false]);
  const hosted = await doctor(mcpUrl, '--client', 'chatgpt');
  assert.equal(hosted.code, 1, 'a client that would not get through is a failure');
  assert.match(hosted.out, /✗ ChatGPT +its requests come from the internet/);
  assert.doesNotMatch(hosted.out, /Cursor/);
  const local = await doctor(mcpUrl, '--client', 'cursor');
  assert.equal(local.code, 0);
  assert.match(local.out, /cursor:\/\/anysphere/);

  const sarif = await doctor(mcpUrl, '--sarif');
  assert.equal(sarif.code, 0);
  assert.equal(JSON.parse(sarif.out).version, '2.1.0');
});

test('gatewarden doctor: a client that the authorization server does not know is exit code 4 (SKILL-69)', {
  timeout: 90_000,
}, async (t) => {
  const { site, mcpUrl } = await startDemo(t);
  const registered = await fetch(
    `${site.ready.environmentUrl}/api/v1/resources/${site.ready.demo?.resourceId}/clients:register`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        client_name: 'Ours',
        redirect_uris: ['http://127.0.0.1/callback'],
        token_endpoint_auth_method: 'client_secret_basic',
      }),
    },
  );
  const { client_id: clientId } = (await registered.json()) as { client_id: string };
  const report = await examine(mcpUrl, {
    login: {
      openBrowser: person(site.ready.environmentUrl),
      clientId,
      clientSecret: 'this-is-not-the-secret-of-the-client',
      timeoutSeconds: 20,
    },
  });
  assert.match(report.credentialsRefused ?? '', /refuses the client "m2m_\d+": invalid_client/);
  assert.doesNotMatch(JSON.stringify(report), /this-is-not-the-secret/);
  assert.deepEqual(messages(report), []);
});

test('gatewarden doctor: wrong use is exit code 2 and one sentence, silence at the address is 3 (SKILL-69)', async () => {
  const rows: [string[], number, RegExp][] = [
    [[], 2, /mcp-url/],
    [['not an address'], 2, /not a URL/],
    [['file:///etc/passwd'], 2, /file:/],
    [['https://user:secret@mcp.example/mcp'], 2, /leave them out/],
    [['http://a.example/', 'http://b.example/'], 2, /give one address/],
    [['http://127.0.0.1:1/mcp', '--json', '--sarif'], 2, /exclude each other/],
    [['http://127.0.0.1:1/mcp', '--client', 'netscape'], 2, /known are Claude\.ai/],
    [['http://127.0.0.1:1/mcp', '--tool', 'x'], 2, /--login/],
    [['http://127.0.0.1:1/mcp', '--login', '--timeout', 'long'], 2, /--timeout/],
    [['http://127.0.0.1:1/mcp', '--login', '--client-secret', 's'], 2, /--client-id/],
    [['http://10.1.2.3/mcp'], 2, /--allow-private/],
    [['http://169.254.169.254/latest'], 2, /--allow-private/],
    [['http://127.0.0.1:1/mcp'], 3, /does not answer/],
  ];
  for (const [args, code, words] of rows) {
    const { code: seen, out, errors } = await doctor(...args);
    assert.equal(seen, code, `${args.join(' ')}: ${out}${errors}`);
    assert.match(errors, words, args.join(' '));
    assert.doesNotMatch(errors, /user:secret|\n\s+at /);
    assert.equal(out, '');
  }
  const json = await doctor('http://127.0.0.1:1/mcp', '--json');
  assert.equal(json.code, 3);
  const { ok, findings, reachable } = JSON.parse(json.out) as Report;
  assert.deepEqual([ok, findings, reachable], [false, [], false]);
});
