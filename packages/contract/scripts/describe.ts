// Says what a compiled contract promises on the wire, one fact a line, so that two contracts can be compared as text.
import {
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type FileRegistry,
  getOption,
  hasOption,
  type JsonObject,
  type JsonValue,
  ScalarType,
  toJson,
} from '@bufbuild/protobuf';
import type { FileDescriptorSet } from '@bufbuild/protobuf/wkt';
import {
  FieldRulesSchema,
  field as fieldRules,
  message as messageRules,
  oneof as oneofRules,
} from '../gen/buf/validate/validate_pb.ts';
import { http } from '../gen/google/api/annotations_pb.ts';
import { method_visibility } from '../gen/google/api/visibility_pb.ts';
import { auth_option } from '../gen/scalekit/v1/options/options_pb.ts';

/** Descriptors with names and references resolved. */
export function describable(set: FileDescriptorSet): FileRegistry {
  return createFileRegistry(set);
}

/**
 * The promises of one file: messages with numbers, types, labels, presence, oneofs, reserved numbers and limits; enums; methods
 * with their paths and callers. Sorted, because order on the page is no promise.
 */
export function describeFile(file: DescFile): string {
  const blocks = [
    ...file.messages.flatMap(messagesIn).map(describeMessage),
    ...[
      ...file.enums,
      ...file.messages.flatMap(messagesIn).flatMap((each) => each.nestedEnums),
    ].map(describeEnum),
  ].sort();
  const services = file.services.map((service) =>
    [`service ${service.typeName}`, ...service.methods.map(describeMethod).sort()].join('\n'),
  );
  return `${[`package ${file.proto.package}`, ...blocks, ...services.sort()].join('\n\n')}\n`;
}

function messagesIn(message: DescMessage): DescMessage[] {
  return [message, ...message.nestedMessages.flatMap(messagesIn)];
}

function describeMessage(message: DescMessage): string {
  const { reservedRange, reservedName } = message.proto;
  const numbers = reservedRange.flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, index) => start + index),
  );
  const rules = getOption(message, messageRules);
  const cel = rules.cel.length + rules.celExpression.length;
  return [
    `message ${message.typeName}`,
    ...numbers.sort((a, b) => a - b).map((number) => `  reserved ${number}`),
    ...[...reservedName].sort().map((name) => `  reserved ${name}`),
    ...(cel > 0 ? [`  cel ${cel}`] : []),
    ...[...message.fields].sort((a, b) => a.number - b.number).map(describeField),
  ].join('\n');
}

function describeField(field: DescField): string {
  const required = field.oneof && getOption(field.oneof, oneofRules).required;
  const words = [
    `  ${field.number} ${field.name} ${typeOf(field)}`,
    field.fieldKind === 'list' ? 'repeated' : '',
    field.proto.proto3Optional ? 'optional' : '',
    field.oneof ? `oneof ${field.oneof.name}${required ? ' required' : ''}` : '',
    field.proto.options?.deprecated ? 'deprecated' : '',
    field.jsonName === camelCase(field.name) ? '' : `json ${field.jsonName}`,
    hasOption(field, fieldRules) ? describeRules(field) : '',
  ];
  return words.filter(Boolean).join(' ');
}

function describeRules(field: DescField): string {
  const rules = getOption(field, fieldRules);
  const json = toJson(FieldRulesSchema, { ...rules, cel: [], celExpression: [] });
  const cel = rules.cel.length + rules.celExpression.length;
  return [JSON.stringify(sorted(json)), cel > 0 ? `cel ${cel}` : '']
    .filter((each) => each !== '' && each !== '{}')
    .join(' ');
}

/** Members in order of their names. An empty group of limits says nothing, and is left out. */
function sorted(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const members = Object.entries(value)
    .map(([name, inner]): [string, JsonValue] => [name, sorted(inner)])
    .filter(([, inner]) => JSON.stringify(inner) !== '{}')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members) satisfies JsonObject;
}

function typeOf(field: DescField): string {
  const name =
    field.message?.typeName ??
    field.enum?.typeName ??
    (field.scalar === undefined ? '' : scalarName(field.scalar));
  return field.fieldKind === 'map' ? `map<${scalarName(field.mapKey)},${name}>` : name;
}

function scalarName(scalar: ScalarType): string {
  return ScalarType[scalar].toLowerCase();
}

function camelCase(name: string): string {
  return name.replace(/_+([a-zA-Z0-9])/g, (_all, letter: string) => letter.toUpperCase());
}

function describeEnum(desc: DescEnum): string {
  const values = [...desc.values]
    .sort((a, b) => a.number - b.number || (a.name < b.name ? -1 : 1))
    .map((value) => {
      const deprecated = value.proto.options?.deprecated ? ' deprecated' : '';
      return `  ${value.number} ${value.name}${deprecated}`;
    });
  const alias = desc.proto.options?.allowAlias ? ' allow_alias' : '';
  return [`enum ${desc.typeName}${alias}`, ...values].join('\n');
}

function describeMethod(method: DescMethod): string {
  const rule = getOption(method, http);
  const auth = getOption(method, auth_option);
  const paths = [rule, ...rule.additionalBindings].flatMap(({ pattern, body }) =>
    pattern.case === undefined || pattern.case === 'custom'
      ? []
      : [`    ${pattern.case.toUpperCase()} ${pattern.value}${body === '' ? '' : ` body ${body}`}`],
  );
  return [
    `  ${method.methodKind} ${method.name} ${method.input.typeName} -> ${method.output.typeName}`,
    ...paths,
    hasOption(method, auth_option)
      ? `    callers ${auth.authenticationType} policy ${auth.policy}${auth.permissions.map((each) => ` +${each}`).join('')}`
      : '    callers none',
    ...(isPreview(method) ? ['    preview'] : []),
    ...(method.proto.options?.deprecated ? ['    deprecated'] : []),
  ].join('\n');
}

function isPreview(method: DescMethod): boolean {
  return getOption(method, method_visibility).restriction.split(',').includes('PREVIEW');
}
