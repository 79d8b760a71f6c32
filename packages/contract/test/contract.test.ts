import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type DescMethod, type DescService, getOption, hasOption } from '@bufbuild/protobuf';
import { http } from '../gen/google/api/annotations_pb.ts';
import { ErrorInfoSchema } from '../gen/scalekit/v1/errdetails/errdetails_pb.ts';
import { AuthenticationType, auth_option } from '../gen/scalekit/v1/options/options_pb.ts';
import { generatedFiles } from '../scripts/contract-files.ts';

let services: DescService[];
let methods: DescMethod[];
before(async () => {
  const files = [...(await generatedFiles('scalekit')), ...(await generatedFiles('gatewarden'))];
  services = files.flatMap((file) => file.services);
  methods = services.flatMap((service) => service.methods);
});

function pathsOf(method: DescMethod): string[] {
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings].map(({ pattern }) => {
    assert.ok(pattern.case && pattern.case !== 'custom', method.name);
    return `${pattern.case} ${pattern.value}`;
  });
}

test('the contract has all 29 services; every method is unary and has a path of its own', () => {
  assert.equal(services.length, 29);
  assert.equal(methods.length, 325);
  const paths = new Set<string>();
  for (const method of methods) {
    assert.equal(method.methodKind, 'unary', method.name);
    for (const path of pathsOf(method)) {
      const shape = path.replace(/\{[^}]+\}/g, '{}');
      assert.ok(!paths.has(shape), shape);
      paths.add(shape);
    }
  }
});

test('only these paths lie outside of /api/v1/', () => {
  const outside = methods.flatMap(pathsOf).filter((path) => !/^[a-z]+ \/api\/v1\//.test(path));
  assert.deepEqual(outside.sort(), [
    'get /.well-known/webauthn',
    'post /migrations/env-keys',
    'post /migrations/fsa-data',
    'post /migrations/role-permissions',
    'post /migrations/stripe-customers',
    'post /migrations/workspace-fga',
    'post /webhooks',
  ]);
});

test('every method says who may call it, except two that nobody may call', () => {
  assert.deepEqual(
    methods.filter((method) => !hasOption(method, auth_option)).map((method) => method.name),
    ['FetchToken', 'SendWebhookEvent'],
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

test('what is open to everybody is known by name', () => {
  const open = methods.filter(
    (method) => getOption(method, auth_option).authenticationType === AuthenticationType.NONE,
  );
  assert.deepEqual(open.map((method) => `${method.parent.name}.${method.name}`).sort(), [
    'AuthService.DiscoveryAuthMethod',
    'AuthService.GetAuthCustomizations',
    'AuthService.GetAuthError',
    'AuthService.GetAuthFeatures',
    'AuthService.GetAuthState',
    'AuthService.ListAuthMethods',
    'AuthService.ListUserOrganizations',
    'AuthService.Logout',
    'AuthService.ResendPasswordless',
    'AuthService.SignupOrganization',
    'AuthService.VerifyPasswordLessOtp',
    'ClientService.GetConsentDetails',
    'ClientService.RegisterClient',
    'DomainService.ListAuthorizedDomains',
    'EmailService.GetTemplateUseCases',
    'EnvironmentService.GetHostScopedPublicFeatureFlags',
    'MigrationService.MigrateEnvKeys',
    'MigrationService.MigrateFSAData',
    'MigrationService.MigrateRolePermissions',
    'MigrationService.MigrateStripeCustomers',
    'MigrationService.MigrateWorkspaceFGA',
    'WebAuthnService.BeginAuthentication',
    'WebAuthnService.FinishAuthentication',
    'WebAuthnService.GetRelatedOrigins',
    'WorkspaceService.CreateWorkspace',
  ]);
});
