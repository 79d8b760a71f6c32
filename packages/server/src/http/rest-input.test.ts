import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toJson } from '@bufbuild/protobuf';
import { InterceptorService } from '@gatewarden/contract/scalekit/v1/interceptors/interceptors_pb';
import { OrganizationService } from '@gatewarden/contract/scalekit/v1/organizations/organizations_pb';
import { ApiError } from './api-error.ts';
import { service } from './calls.ts';
import { bindingsOf } from './rest-bindings.ts';
import { readRestInput } from './rest-input.ts';

const bindings = bindingsOf([service(OrganizationService), service(InterceptorService)]);

function read(method: string, body: unknown): unknown {
  const binding = bindings.find((one) => one.method.name === method);
  assert.ok(binding, method);
  const message = readRestInput(binding, {
    variables: binding.variables.map(() => 'x'),
    query: '',
    body,
  });
  return toJson(binding.method.input, message, { useProtoFieldName: true });
}

test('a name that an enumeration does not have is refused with its field, however deep in a body, and not taken for nothing', () => {
  const refused: readonly (readonly [string, unknown, string])[] = [
    ['CreateOrganization', { region_code: 'XX' }, 'organization.region_code'],
    ['CreateOrganization', { regionCode: 'us' }, 'organization.region_code'],
    ['CreateOrganization', { region_code: '' }, 'organization.region_code'],
    ['CreateOrganization', { region_code: 'constructor' }, 'organization.region_code'],
    ['CreateInterceptor', { failure_policy: 'FAIL_OPE' }, 'interceptor.failure_policy'],
    [
      'UpdateInterceptor',
      { config: { auth_config: { auth_config_type: 'KEY' } } },
      'interceptor.config.auth_config.auth_config_type',
    ],
    ['UpdateOrganizationSessionPolicy', { policy_source: 'NONE' }, 'policy_source'],
  ];
  for (const [method, body, field] of refused) {
    assert.throws(
      () => read(method, body),
      (error) =>
        error instanceof ApiError &&
        error.code === 'invalid_argument' &&
        error.fieldViolations[0]?.field === field,
      `${method} ${JSON.stringify(body)}`,
    );
  }
});

test('names, numbers and null of an enumeration are read as before, and unknown members are still left out', () => {
  assert.deepEqual(read('CreateOrganization', { region_code: 'EU', other: 'XX' }), {
    organization: { region_code: 'EU' },
  });
  assert.deepEqual(read('CreateOrganization', { region_code: 2 }), {
    organization: { region_code: 'EU' },
  });
  assert.deepEqual(read('CreateOrganization', { display_name: 'A', region_code: null }), {
    organization: { display_name: 'A' },
  });
  assert.deepEqual(read('CreateOrganization', { metadata: { region_code: 'XX' } }), {
    organization: { metadata: { region_code: 'XX' } },
  });
});
