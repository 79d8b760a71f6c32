import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DescMessage, type DescMethod, getOption } from '@bufbuild/protobuf';
import {
  AuthenticationType,
  auth_option,
} from '@gatewarden/contract/scalekit/v1/options/options_pb';
import { services } from '../rpcs.ts';
import { isReading, mayUse, nameOf } from './caller-rules.ts';
import * as tables from './caller-tables.ts';

const methods = services.flatMap(({ desc }) => desc.methods);
const names = new Set(methods.map(nameOf));

test('every entry of the tables is a method: a misspelt one would leave open what it should close', () => {
  const sets = [
    tables.CHANGING_GETS,
    tables.CLIENTS_ONLY,
    tables.OPERATORS_OWN,
    tables.OWNERS_ONLY,
    tables.READING_POSTS,
    tables.REVEALING,
    new Set(tables.PEOPLE_REACH.keys()),
    new Set(tables.PORTAL_REACH.keys()),
  ];
  for (const set of sets) {
    assert.ok(set.size > 0);
    assert.deepEqual(
      [...set].filter((name) => !names.has(name)),
      [],
    );
  }
  const nouns = new Set(services.map(({ desc }) => desc.name));
  assert.deepEqual(
    [...tables.PORTAL_SERVICES.keys()].filter((name) => !nouns.has(name)),
    [],
  );
  assert.equal(
    new Set(methods.map(({ parent }) => parent.typeName)).size,
    nouns.size,
    'no two services have one name',
  );
});

test('every permission that the contract asks people for stands for one of the built-in ones', () => {
  const asked = new Set(methods.flatMap((method) => getOption(method, auth_option).permissions));
  assert.ok(asked.size > 5);
  assert.deepEqual(
    [...asked].filter((name) => !tables.PERMISSIONS.has(name)),
    [],
  );
  assert.deepEqual(
    [...tables.PERMISSIONS.keys()].filter((name) => !asked.has(name)),
    [],
  );
});

test('paths of members that people may set are members of the requests', () => {
  for (const [name, reach] of tables.PEOPLE_REACH) {
    if (reach.to !== 'organization') continue;
    const method = methods.find((one) => nameOf(one) === name);
    for (const path of reach.members ?? []) assert.ok(method && hasPath(method.input, path), path);
  }
});

function hasPath(desc: DescMessage, path: string): boolean {
  const [first, ...rest] = path.split('.');
  const field = desc.fields.find(({ name }) => name === first);
  if (!field || rest.length === 0) return field !== undefined;
  return field.message !== undefined && hasPath(field.message, rest.join('.'));
}

const SECRET = /secret|password|private_key|api_key|otp|(^|_)(token|code)$/;
const HARMLESS =
  /(txt_record_secret|secret_suffix|page_token|country_code|region_code|error_code|postal_code)$/;

/** Members of an answer that could hold a secret, by their names. */
function secretsOf(desc: DescMessage, prefix = '', above: readonly string[] = []): string[] {
  if (above.includes(desc.typeName) || desc.typeName.startsWith('google.')) return [];
  return desc.fields.flatMap((field) => {
    const path = `${prefix}${field.name}`;
    if (field.message) return secretsOf(field.message, `${path}.`, [...above, desc.typeName]);
    const suspicious = SECRET.test(field.name) && !HARMLESS.test(field.name);
    return suspicious ? [path] : [];
  });
}

function viewersMay(method: DescMethod): boolean {
  const { authenticationType } = getOption(method, auth_option);
  if ((authenticationType & AuthenticationType.WORKSPACE) === 0) return false;
  return mayUse({ kind: 'operator', operatorId: 'mem_1', role: 'viewer' }, method);
}

test('a viewer is shown no answer with a secret in it but those that were reviewed', () => {
  const shown = methods
    .filter(viewersMay)
    .filter(({ output }) => secretsOf(output).length > 0)
    .map((method) => `${nameOf(method)}: ${secretsOf(method.output).join(', ')}`);
  // A client's secret is in the answer that makes it, and in no other.
  assert.deepEqual(shown, [
    'ClientService.ListClient: clients.secrets.plain_secret',
    'ClientService.GetClient: client.secrets.plain_secret',
    'ClientService.GetOrganizationClient: client.secrets.plain_secret',
    'ClientService.ListOrganizationClients: clients.secrets.plain_secret',
    'ClientService.GetResourceClient: client.secrets.plain_secret',
    'ClientService.ListResourceClients: clients.secrets.plain_secret',
  ]);
});

test('a viewer changes nothing: what they may use reads', () => {
  const seen = methods.filter(viewersMay);
  assert.ok(seen.length > 80);
  for (const method of seen) {
    assert.ok(isReading(method), nameOf(method));
    assert.doesNotMatch(
      method.name,
      /^(Create|Update|Delete|Enable|Disable|Send|Revoke|Rotate|Trigger)/,
    );
  }
});
