import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { createValidator } from '@bufbuild/protovalidate';
import { UserSchema } from '@gatewarden/contract/scalekit/v1/auth/auth_pb';
import {
  CreateConnectionRequestSchema,
  CreateConnectionSchema,
} from '@gatewarden/contract/scalekit/v1/connections/connections_pb';
import { UpdateTemplateSchema } from '@gatewarden/contract/scalekit/v1/emails/emails_pb';
import { CreatePermissionSchema } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import { AddSubscriptionRequestSchema } from '@gatewarden/contract/scalekit/v1/workspaces/workspaces_pb';
import { services } from '../src/rpcs.ts';

function within(message: DescMessage): DescMessage[] {
  return [message, ...message.nestedMessages.flatMap(within)];
}

test('the limits of every message can be evaluated', () => {
  const validator = createValidator();
  const messages = services.flatMap(({ desc }) => desc.file.messages.flatMap(within));
  assert.ok(messages.length > 600);
  for (const message of messages) {
    const result = validator.validate(message, create(message));
    assert.notEqual(result.kind, 'error', `${message.typeName}: ${result.error?.message}`);
  }
});

/** Names of the rules that a message breaks. */
function broken<M extends DescMessage>(schema: M, init: MessageInitShape<M>): string[] {
  const result = createValidator().validate(schema, create(schema, init));
  return result.kind === 'invalid' ? result.violations.map(({ ruleId }) => ruleId) : [];
}

test('limits that look at several fields, or cannot be said otherwise, hold', () => {
  const okta = { provider: 1, type: 2 } as const;
  assert.deepEqual(broken(CreateConnectionSchema, okta), []);
  assert.deepEqual(broken(CreateConnectionSchema, { providerKey: 'acme', type: 2 }), []);
  assert.deepEqual(broken(CreateConnectionSchema, { type: 2 }), ['connection.provider']);
  assert.deepEqual(broken(CreateConnectionSchema, { provider: 15, type: 5 }), [
    'connection.provider_key',
  ]);
  assert.deepEqual(broken(CreateConnectionSchema, { ...okta, type: 9 }), ['connection.key_id']);
  const organizationId = 'org_123456789012345';
  assert.deepEqual(broken(CreateConnectionRequestSchema, { organizationId, connection: okta }), []);
  for (const type of [4, 5] as const) {
    const connection = { ...okta, type };
    assert.deepEqual(broken(CreateConnectionRequestSchema, { organizationId, connection }), [
      'connection.type',
    ]);
  }
  assert.deepEqual(broken(UserSchema, { sub: 'usr_1', email: 'ada@example.com' }), []);
  assert.deepEqual(broken(UserSchema, { loginFailed: true }), []);
  assert.deepEqual(broken(UserSchema, { sub: 'usr_1' }), [
    'user.sub_email_required_unless_login_failed',
  ]);
  assert.deepEqual(broken(UpdateTemplateSchema, {}), ['at_least_one_field_required']);
  assert.deepEqual(broken(UpdateTemplateSchema, { subject: 'Welcome' }), []);
  assert.deepEqual(broken(AddSubscriptionRequestSchema, {}), ['product_name_or_id']);
  assert.deepEqual(broken(AddSubscriptionRequestSchema, { productId: 'p' }), []);
  assert.deepEqual(broken(CreatePermissionSchema, { name: 'todo:read_1' }), []);
  assert.deepEqual(broken(CreatePermissionSchema, { name: 'todo.read' }), [
    'permission.name.format',
  ]);
});
