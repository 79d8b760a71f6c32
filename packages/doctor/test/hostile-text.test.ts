import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examine, sarifReport, textReport } from '../src/index.ts';
import { printable } from '../src/printable.ts';
import { startSite } from './small-site.ts';

const HOSTILE = [
  '\u001b[2J\u001b]0;owned\u0007',
  '\u009b31m',
  '\u202egnp.exe',
  '\u2066hidden\u2069',
  '\u200b\ufeff',
  '\r\nerror: fake finding\r\n',
  '\u0000\u0008\u007f',
];
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Every text in a JSON value. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(texts) : [];
}

test('what a server says cannot steer a terminal: no control, reordering or invisible characters, no lines of its own (SKILL-69, terminal escape injection)', async (t) => {
  for (const text of HOSTILE) {
    const site = await startSite(t, {
      resource: (origin) => ({
        resource: `${origin}/mcp${text}`,
        authorization_servers: [origin],
        scopes_supported: [`todo:read${text}`],
        bearer_methods_supported: [text],
      }),
      server: () => ({
        issuer: `https://issuer.example/${text}`,
        scopes_supported: ['other'],
        jwks_uri: `http://127.0.0.1/${text}`,
        code_challenge_methods_supported: [text],
      }),
    });
    const report = await examine(site.mcp);
    assert.ok(report.findings.length >= 3);
    const printed = textReport(report, { color: false });
    assert.doesNotMatch(printed, OBEYED);
    assert.doesNotMatch(printed, /^error: fake/m);
    for (const one of texts([report, sarifReport(report, '1')])) {
      assert.doesNotMatch(one, OBEYED);
      assert.doesNotMatch(one, /\n/);
    }
  }
});

test('long texts are cut, so that a finding stays readable (SKILL-69)', async (t) => {
  assert.equal(printable('x'.repeat(10_000)).length, 301);
  const site = await startSite(t, {
    resource: (origin) => ({ resource: `${origin}/${'x'.repeat(20_000)}` }),
  });
  const report = await examine(site.mcp);
  for (const { message, evidence } of report.findings)
    assert.ok(message.length <= 502 && evidence.length <= 502);
});

test('colours are only there when they are wanted (SKILL-69)', async (t) => {
  const site = await startSite(t, { resource: () => ({ resource: undefined }) });
  const report = await examine(site.mcp);
  assert.ok(textReport(report, { color: true }).includes('\u001b[31m'));
  assert.ok(!textReport(report, { color: false }).includes('\u001b'));
});
