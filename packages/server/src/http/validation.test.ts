import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, createRegistry, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import { createValidator } from '@bufbuild/protovalidate';
import {
  file_gatewarden_v1_mcp_server_settings,
  UpdateMcpServerSettingsRequestSchema,
} from '@gatewarden/contract/gatewarden/v1/mcp_server_settings_pb';
import {
  CreateOrganizationClientRequestSchema,
  file_scalekit_v1_clients_clients,
} from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import {
  CreateRoleRequestSchema,
  file_scalekit_v1_roles_roles,
} from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import { ApiError } from './api-error.ts';
import { createValidation } from './validation.ts';

const files = [
  file_scalekit_v1_clients_clients,
  file_scalekit_v1_roles_roles,
  file_gatewarden_v1_mcp_server_settings,
];

test('the validation rules of every message compile and can be evaluated', () => {
  const validator = createValidator({ registry: createRegistry(...files) });
  const all = (messages: readonly DescMessage[]): DescMessage[] =>
    messages.flatMap((message) => [message, ...all(message.nestedMessages)]);
  const messages = all(files.flatMap((file) => file.messages));
  assert.ok(messages.length > 150);
  for (const desc of messages) {
    const message = reflect(desc);
    for (const field of desc.fields) {
      if (field.fieldKind === 'scalar' && field.scalar === ScalarType.STRING)
        message.set(field, 'x');
    }
    assert.notEqual(validator.validate(desc, message.message).kind, 'error', desc.typeName);
  }
});

test('limits hold: lengths, prefixes, patterns and required members', () => {
  const validator = createValidator();
  const role = (name: string): string =>
    validator.validate(
      CreateRoleRequestSchema,
      create(CreateRoleRequestSchema, { role: { name, displayName: 'x' } }),
    ).kind;
  assert.deepEqual(
    [role('editor_1'), role('not-a-role'), role('')],
    ['valid', 'invalid', 'invalid'],
  );
  const client = (organizationId: string): string =>
    validator.validate(
      CreateOrganizationClientRequestSchema,
      create(CreateOrganizationClientRequestSchema, { organizationId, client: {} }),
    ).kind;
  assert.deepEqual(
    [client('org_1'), client('usr_1'), client(`org_${'1'.repeat(40)}`)],
    ['valid', 'invalid', 'invalid'],
  );
  const settings = (codeLifetime: number): string =>
    validator.validate(
      UpdateMcpServerSettingsRequestSchema,
      create(UpdateMcpServerSettingsRequestSchema, {
        resourceId: 'res_1',
        settings: { codeLifetime },
      }),
    ).kind;
  assert.deepEqual([settings(30), settings(29), settings(601)], ['valid', 'invalid', 'invalid']);
});

test('a violation is an ApiError that names the field as the contract does, and the rule', () => {
  const validate = createValidation();
  const bad = create(CreateRoleRequestSchema, { role: { name: 'a b', displayName: '' } });
  assert.throws(
    () => validate(CreateRoleRequestSchema, bad),
    (error: unknown) => {
      assert.ok(error instanceof ApiError);
      assert.deepEqual(
        error.fieldViolations.map(({ field, constraint }) => `${field} ${constraint}`),
        ['role.name string.pattern', 'role.display_name required'],
      );
      return error.code === 'invalid_argument' && error.errorCode === 'VALIDATION_FAILED';
    },
  );
});
