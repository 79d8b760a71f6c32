import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getOption, hasOption } from '@bufbuild/protobuf';
import { McpServerSettingsService } from '../gen/gatewarden/v1/mcp_server_settings_pb.ts';
import { http } from '../gen/google/api/annotations_pb.ts';
import { ClientService } from '../gen/scalekit/v1/clients/clients_pb.ts';
import { ErrorInfoSchema } from '../gen/scalekit/v1/errdetails/errdetails_pb.ts';
import { AuthenticationType, auth_option } from '../gen/scalekit/v1/options/options_pb.ts';
import { RolesService } from '../gen/scalekit/v1/roles/roles_pb.ts';

const services = [ClientService, RolesService, McpServerSettingsService];

test('every method of the contract is unary, has a path of its own and says who may call it', () => {
  assert.deepEqual(
    services.map((service) => service.methods.length),
    [37, 26, 2],
  );
  const paths = new Set<string>();
  for (const method of services.flatMap((service) => service.methods)) {
    assert.equal(method.methodKind, 'unary', method.name);
    assert.ok(hasOption(method, auth_option), `${method.name} says who may call it`);
    const rule = getOption(method, http);
    for (const { pattern } of [rule, ...rule.additionalBindings]) {
      assert.ok(pattern.case && pattern.case !== 'custom');
      const path = `${pattern.case} ${pattern.value.replace(/\{[^}]+\}/g, '{}')}`;
      assert.ok(pattern.value.startsWith('/api/v1/') && !paths.has(path), path);
      paths.add(path);
    }
  }
});

test('only registration and consent details are open to everybody', () => {
  const open = services
    .flatMap((service) => service.methods)
    .filter(
      (method) => getOption(method, auth_option).authenticationType === AuthenticationType.NONE,
    );
  assert.deepEqual(
    open.map((method) => method.name),
    ['RegisterClient', 'GetConsentDetails'],
  );
});

test('the error detail keeps its numbers, which clients read without our descriptors', () => {
  assert.equal(ErrorInfoSchema.typeName, 'scalekit.v1.errdetails.ErrorInfo');
  assert.deepEqual(
    ErrorInfoSchema.fields.map((field) => `${field.number} ${field.name}`),
    [
      '1 error_code',
      '2 debug_info',
      '3 help_info',
      '4 localized_message_info',
      '5 resource_info',
      '6 request_info',
      '8 validation_error_info',
      '9 tool_error_info',
    ],
  );
});
