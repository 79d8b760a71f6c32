import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { clearField, create, fromBinary, setExtension, toBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  type FileDescriptorProto,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
  type MethodDescriptorProto,
  MethodOptionsSchema,
} from '@bufbuild/protobuf/wkt';
import { FieldRulesSchema, field as fieldRules } from '../gen/buf/validate/validate_pb.ts';
import { http } from '../gen/google/api/annotations_pb.ts';
import { HttpRuleSchema } from '../gen/google/api/http_pb.ts';
import {
  AuthenticationType,
  AuthOptionSchema,
  auth_option,
} from '../gen/scalekit/v1/options/options_pb.ts';
import {
  differences,
  differencesToVendor,
  promisesOf,
  withExceptions,
} from '../scripts/compare.ts';
import {
  baselineImage,
  generatedFiles,
  readBaseline,
  readExceptions,
  vendorDescriptors,
} from '../scripts/contract-files.ts';
import { describable } from '../scripts/describe.ts';

const baseline = readBaseline();
const { expected, problems } = withExceptions(baseline, readExceptions());
let image: FileDescriptorSet;
before(() => {
  image = fromBinary(FileDescriptorSetSchema, readFileSync(baselineImage));
});

test('the contract promises what its baseline says, apart from exceptions that give a reason', async () => {
  assert.deepEqual(problems, []);
  assert.ok(baseline.size >= 28);
  assert.deepEqual(differences(expected, promisesOf(await generatedFiles('scalekit'))), []);
});

test("the baseline agrees with the descriptors inside the vendor's SDK", () => {
  const set = vendorDescriptors();
  assert.ok(set, 'conformance/ is installed');
  const vendor = promisesOf(describable(set).files);
  assert.deepEqual(differencesToVendor(baseline, vendor), []);

  const name = 'scalekit/v1/sessions/sessions';
  const changed = new Map(baseline).set(
    name,
    (baseline.get(name) ?? '').replace('  2 page_size uint32', '  3 page_size uint32'),
  );
  assert.deepEqual(differencesToVendor(changed, vendor).length, 2);
  assert.deepEqual(differencesToVendor(baseline, new Map()), ['the SDK has no descriptors']);
});

test('an exception that fits nothing, or has no reason, is a problem of its own', () => {
  const [first] = readExceptions();
  assert.ok(first);
  for (const wrong of [
    { ...first, element: `${first.element}x`, baseline: '  9 none string' },
    { ...first, element: 'scalekit.v1.roles.Nothing.count' },
    { ...first, reason: '' },
  ]) {
    assert.equal(withExceptions(baseline, [wrong]).problems.length, 1);
  }
});

type Change = {
  readonly what: string;
  readonly change: (user: DescriptorProto, file: FileDescriptorProto) => void;
  readonly noticed: RegExp;
  /** `buf breaking` looks at the wire only: limits, presence and callers are the baseline's business. */
  readonly breaking?: true;
};

function fieldOf(message: DescriptorProto, name: string): DescriptorProto['field'][number] {
  const field = message.field.find((each) => each.name === name);
  assert.ok(field, name);
  return field;
}

function methodOf(file: FileDescriptorProto, name: string): MethodDescriptorProto {
  const method = file.service[0]?.method.find((each) => each.name === name);
  assert.ok(method, name);
  return method;
}

const CHANGES: readonly Change[] = [
  {
    what: 'number',
    change: (message) => {
      fieldOf(message, 'external_id').number = 90;
    },
    noticed: /\+ message scalekit\.v1\.organizations\.CreateOrganization: 90 external_id string/,
    breaking: true,
  },
  {
    what: 'type',
    change: (message) => {
      fieldOf(message, 'display_name').type = FieldDescriptorProto_Type.BOOL;
    },
    noticed: /\+ message .*CreateOrganization: 4 display_name bool/,
    breaking: true,
  },
  {
    what: 'label',
    change: (message) => {
      fieldOf(message, 'display_name').label = FieldDescriptorProto_Label.REPEATED;
    },
    noticed: /\+ message .*CreateOrganization: 4 display_name string repeated/,
    breaking: true,
  },
  {
    what: 'name in JSON',
    change: (message) => {
      fieldOf(message, 'display_name').jsonName = 'title';
    },
    noticed: /\+ message .*CreateOrganization: 4 display_name string json title/,
    breaking: true,
  },
  {
    what: 'limit',
    change: (message) => {
      const options = create(FieldOptionsSchema);
      const rules = create(FieldRulesSchema, {
        required: true,
        type: { case: 'string', value: { minLen: 1n, maxLen: 201n } },
      });
      setExtension(options, fieldRules, rules);
      fieldOf(message, 'display_name').options = options;
    },
    noticed: /\+ message .*CreateOrganization: 4 display_name string .*"maxLen":"201"/,
  },
  {
    what: 'presence',
    change: (message) => {
      const field = fieldOf(message, 'external_id');
      field.proto3Optional = false;
      clearField(field, FieldDescriptorProtoSchema.field.oneofIndex);
      message.oneofDecl = [];
      for (const other of message.field) {
        other.proto3Optional = false;
        clearField(other, FieldDescriptorProtoSchema.field.oneofIndex);
      }
    },
    noticed: /\+ message .*CreateOrganization: 6 external_id string$/m,
  },
  {
    what: 'oneof',
    change: (_message, file) => {
      const update = file.messageType.find(({ name }) => name === 'UpdateOrganizationRequest');
      assert.ok(update);
      for (const each of update.field)
        clearField(each, FieldDescriptorProtoSchema.field.oneofIndex);
      update.oneofDecl = [];
    },
    noticed: /- message .*UpdateOrganizationRequest: 1 id string oneof identities/,
    breaking: true,
  },
  {
    what: 'reserved number',
    change: (_message, file) => {
      const update = file.messageType.find(({ name }) => name === 'UpdateOrganization');
      assert.ok(update);
      update.reservedRange = [];
    },
    noticed: /- message .*UpdateOrganization: reserved 5/,
    breaking: true,
  },
  {
    what: 'path',
    change: (_message, file) => {
      const options = create(MethodOptionsSchema);
      const rule = create(HttpRuleSchema, {
        pattern: { case: 'get', value: '/api/v1/organisations' },
      });
      setExtension(options, http, rule);
      methodOf(file, 'ListOrganization').options = options;
    },
    noticed: /ListOrganization .*: GET \/api\/v1\/organisations/,
  },
  {
    what: 'kind of caller',
    change: (_message, file) => {
      const { options } = methodOf(file, 'ListOrganization');
      assert.ok(options);
      const auth = create(AuthOptionSchema, { authenticationType: AuthenticationType.NONE });
      setExtension(options, auth_option, auth);
    },
    noticed: /\+ service .*ListOrganization .*: callers 1 policy 0/,
  },
  {
    what: 'request',
    change: (_message, file) => {
      methodOf(file, 'ListOrganization').inputType = '.google.protobuf.Empty';
    },
    noticed: /\+ .*unary ListOrganization google\.protobuf\.Empty/,
    breaking: true,
  },
];

/** A copy of the contract with one change in its organizations. */
function changed(change: Change['change']): FileDescriptorSet {
  const copy = fromBinary(FileDescriptorSetSchema, toBinary(FileDescriptorSetSchema, image));
  const file = copy.file.find(({ name }) => name.endsWith('organizations.proto'));
  const message = file?.messageType.find(({ name }) => name === 'CreateOrganization');
  assert.ok(file && message);
  change(message, file);
  return copy;
}

for (const { what, change, noticed } of CHANGES) {
  test(`a changed ${what} breaks the baseline`, () => {
    const files = [...describable(changed(change)).files].filter(({ name }) =>
      name.startsWith('scalekit/'),
    );
    assert.match(differences(expected, promisesOf(files)).join('\n'), noticed);
  });
}

test('`buf breaking` refuses what breaks the wire, and nothing when nothing changed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatewarden-breaking-'));
  try {
    const breaks = (set: FileDescriptorSet): boolean => {
      const path = join(folder, 'changed.binpb');
      writeFileSync(path, toBinary(FileDescriptorSetSchema, set));
      const config = '{"version":"v2","breaking":{"use":["WIRE_JSON"]}}';
      const args = ['breaking', path, '--against', baselineImage];
      const all = [...args, '--config', config, '--against-config', config];
      try {
        execFileSync(join(import.meta.dirname, '../../../node_modules/.bin/buf'), all, {
          stdio: 'pipe',
        });
        return false;
      } catch {
        return true;
      }
    };
    const noticed = CHANGES.filter(({ change }) => breaks(changed(change)));
    assert.deepEqual(
      noticed.map(({ what }) => what),
      CHANGES.filter(({ breaking }) => breaking).map(({ what }) => what),
    );
    assert.equal(breaks(image), false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
