import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { isBuiltin, stripTypeScriptTypes } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Gatewarden, WebhookVerificationError } from '../src/index.ts';

/** Every module that an import of this one loads, and what each asks for. */
function loadedBy(entry: string): Map<string, readonly string[]> {
  const loaded = new Map<string, readonly string[]>();
  const open = [entry];
  for (let url = open.pop(); url !== undefined; url = open.pop()) {
    if (loaded.has(url)) continue;
    const text = readFileSync(fileURLToPath(url), 'utf8');
    const code = url.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
    const specifiers = Array.from(
      code.matchAll(
        /^\s*(?:import|export)\b(?:[^'";(=]*?\bfrom)?\s*['"]([^'"]+)['"]|\bimport\(['"]([^'"]+)['"]\)/gm,
      ),
      ([, from, dynamic]) => from ?? dynamic ?? '',
    );
    loaded.set(url, specifiers);
    for (const specifier of specifiers) {
      if (isBuiltin(specifier)) continue;
      open.push(
        specifier.startsWith('.') ? new URL(specifier, url).href : import.meta.resolve(specifier),
      );
    }
  }
  return loaded;
}

test('nothing that the package loads needs a module of Node', () => {
  const loaded = loadedBy(import.meta.resolve('../src/index.ts'));
  const needs = [...loaded].flatMap(([url, specifiers]) =>
    specifiers.filter(isBuiltin).map((name) => `${url} imports ${name}`),
  );
  assert.deepEqual(needs, []);
  for (const reached of [
    '/sdk/src/gatewarden.ts',
    '/connect/',
    '/protobuf/',
    '/jose/',
    '/contract/gen/',
  ])
    assert.ok(
      [...loaded.keys()].some((url) => url.includes(reached)),
      `${reached} was looked at`,
    );
});

test('a runtime without modules of Node says which method verifies webhooks there', (t) => {
  const host: { getBuiltinModule?: unknown } = process;
  const before = host.getBuiltinModule;
  t.after(() => {
    host.getBuiltinModule = before;
  });
  host.getBuiltinModule = undefined;
  const sdk = new Gatewarden('https://auth.example.com', 'skc_1', 's');
  assert.throws(
    () => sdk.verifyWebhookPayload('whsec_AAAA', {}, ''),
    (error) => error instanceof WebhookVerificationError && /verifyWebhook\b/.test(error.message),
  );
});
