import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  catalogue,
  examine,
  hostSteps,
  knownClients,
  STEPS,
  sarifReport,
  textReport,
} from '../src/index.ts';
import { startSite } from './small-site.ts';

test('SARIF 2.1.0: rules are those of the results, and each result has a level, a message and a valid location (SKILL-69)', async (t) => {
  const site = await startSite(t, {
    resource: () => ({ resource: 'not an address', bearer_methods_supported: ['query'] }),
    server: () => ({ code_challenge_methods_supported: undefined }),
  });
  const report = await examine(site.mcp);
  assert.ok(report.findings.length >= 3);
  const sarif = JSON.parse(JSON.stringify(sarifReport(report, '1.2.3')));
  assert.equal(sarif.version, '2.1.0');
  assert.match(sarif.$schema, /^https:\/\/.*sarif.*2\.1\.0.*\.json$/);
  assert.equal(sarif.runs.length, 1);
  const [run] = sarif.runs;
  assert.equal(run.tool.driver.version, '1.2.3');
  assert.equal(run.invocations[0].executionSuccessful, true);
  assert.equal(run.results.length, report.findings.length);
  for (const [index, result] of run.results.entries()) {
    const rule = run.tool.driver.rules[result.ruleIndex];
    assert.equal(rule.id, result.ruleId);
    assert.equal(result.ruleId, report.findings[index]?.id);
    assert.ok(['error', 'warning'].includes(result.level));
    for (const text of [
      result.message.text,
      rule.shortDescription.text,
      rule.fullDescription.text,
      rule.help.text,
    ])
      assert.ok(text.length > 20);
    const [location] = result.locations;
    assert.ok(URL.canParse(location.physicalLocation.artifactLocation.uri));
  }
  assert.equal(
    new Set(run.tool.driver.rules.map(({ id }: { id: string }) => id)).size,
    run.tool.driver.rules.length,
  );
});

test('each fault of the catalogue has a title, a rule in words of our own and a fix one can act on (SKILL-69)', () => {
  const faults = Object.entries(catalogue);
  assert.ok(faults.length >= 70);
  for (const [id, { title, step, rule, fix }] of faults) {
    assert.match(id, /^[a-z0-9]+(?:-[a-z0-9]+)+$/);
    assert.ok(STEPS.includes(step), id);
    assert.match(
      rule.source,
      /^(?:RFC \d+|OAuth 2\.1|MCP specification \d{4}-\d\d-\d\d, .+|Fetch standard)$/,
      id,
    );
    for (const text of [title, rule.section, rule.says, fix]) assert.ok(text.length > 1, id);
    assert.match(fix, /\.$/, id);
    assert.match(rule.says, /\.$/, id);
  }
});

test('the text names for each finding what was seen, the rule and the fix, and tells the end in one line (SKILL-69)', async (t) => {
  const site = await startSite(t, { resource: () => ({ bearer_methods_supported: ['query'] }) });
  const text = textReport(await examine(site.mcp), { color: false });
  assert.match(text, /✗ resource-metadata {2}prm-query-tokens/);
  assert.match(text, /error prm-query-tokens: bearer_methods_supported is \["query"\]/);
  assert.match(text, / seen {2}.*\/\.well-known\/oauth-protected-resource\/mcp/);
  assert.match(text, / rule {2}MCP specification/);
  assert.match(text, / fix {3}Set "bearer_methods_supported": \["header"\]/);
  assert.match(text, /1 error, 0 warnings \(\d+ requests, [\d.]+ s\)/);
});

test('every known client has a verdict, a way in and a reason when it is stopped (SKILL-69)', async (t) => {
  const site = await startSite(t);
  const { clients } = await examine(site.mcp);
  assert.deepEqual(
    clients.map(({ name }) => name),
    knownClients.map(({ name }) => name),
  );
  for (const { name, outcome, reasons, redirectUris } of clients) {
    assert.ok(redirectUris.length > 0, name);
    if (outcome !== 'through') assert.ok(reasons.length > 0, name);
  }
});

const rows: {
  readonly when: string;
  readonly resource?: Readonly<Record<string, unknown>>;
  readonly server?: Readonly<Record<string, unknown>>;
  readonly expected: Readonly<Record<string, readonly [string, RegExp]>>;
}[] = [
  {
    when: 'there is dynamic registration',
    expected: {
      Cursor: ['through', /^dynamic registration$/],
      'MCP Inspector': ['through', /^dynamic registration$/],
      Goose: ['stopped', /sends its metadata document, which this server does not accept/],
      'Claude.ai': ['stopped', /come from the internet/],
    },
  },
  {
    when: 'there are only metadata documents',
    server: { registration_endpoint: undefined, client_id_metadata_document_supported: true },
    expected: {
      'Claude Code': ['through', /^metadata document$/],
      Goose: ['through', /^metadata document$/],
      Cursor: ['by-hand', /cannot register itself/],
      'LM Studio': ['stopped', /knows no metadata documents/],
    },
  },
  {
    when: 'nobody can register',
    server: { registration_endpoint: undefined },
    expected: {
      'VS Code': ['by-hand', /cannot register itself/],
      'LM Studio': ['stopped', /takes no client id by hand/],
    },
  },
  {
    when: 'public clients are refused',
    server: { token_endpoint_auth_methods_supported: ['client_secret_basic'] },
    expected: {
      Cursor: ['stopped', /does not accept none/],
      'mcp-remote': ['through', /^dynamic registration$/],
    },
  },
  {
    when: 'the issuer differs',
    server: { issuer: 'https://other.example' },
    expected: {
      'TypeScript SDK 2.x': ['stopped', /checks the issuer/],
      'TypeScript SDK 1.x': ['through', /^dynamic registration$/],
    },
  },
  {
    when: 'PKCE is not advertised',
    server: { code_challenge_methods_supported: undefined },
    expected: { Cursor: ['stopped', /PKCE is not advertised/], 'Claude Code': ['stopped', /PKCE/] },
  },
];

for (const { when, resource, server, expected } of rows)
  test(`clients, when ${when}: each goes its own way or is stopped with the reason (SKILL-69)`, async (t) => {
    const site = await startSite(t, {
      ...(resource ? { resource: () => resource } : {}),
      ...(server ? { server: () => server } : {}),
    });
    const { clients } = await examine(site.mcp);
    for (const [name, [outcome, why]] of Object.entries(expected)) {
      const verdict = clients.find((client) => client.name === name);
      assert.equal(verdict?.outcome, outcome, `${name}: ${verdict?.reasons.join('; ')}`);
      assert.match(outcome === 'through' ? verdict.registration : verdict.reasons.join('; '), why);
    }
  });

test('what is left to try names an address only to clients that can reach it (SKILL-17)', () => {
  const local = hostSteps('http://localhost:3002/mcp');
  assert.match(local, /Claude Desktop .*needs an https address/);
  assert.match(local, /Cursor .*"http:\/\/localhost:3002\/mcp"/);
  assert.match(
    hostSteps('https://mcp.example.com/mcp'),
    /Claude Desktop .*: https:\/\/mcp\.example\.com\/mcp/,
  );
});
