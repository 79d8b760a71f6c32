import {
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  type JsonObject,
  ScalarType,
} from '@bufbuild/protobuf';
import {
  type FieldRules,
  field as rulesOption,
  type StringRules,
} from '@gatewarden/contract/buf/validate/validate_pb';

/** A schema of OpenAPI 3.1, which is JSON Schema 2020-12. */
export type Schema = JsonObject;

/** How the JSON form of well-known messages looks; they are no schemas of their own. */
const WELL_KNOWN: Readonly<Record<string, Schema>> = {
  'google.protobuf.Timestamp': { type: 'string', format: 'date-time' },
  'google.protobuf.Duration': { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$' },
  'google.protobuf.FieldMask': { type: 'string', description: 'Names with commas between them.' },
  'google.protobuf.Struct': { type: 'object', additionalProperties: true },
  'google.protobuf.Value': {},
  'google.protobuf.ListValue': { type: 'array', items: {} },
  'google.protobuf.Any': { type: 'object', additionalProperties: true },
  'google.protobuf.Empty': { type: 'object' },
};

/** Schemas that operations refer to, found while operations are described. */
export type Schemas = {
  /** A message as a part of something: a reference, or what it is where the message is well known. */
  refTo(message: DescMessage): Schema;
  /** A member, with the limits of the contract. */
  ofField(field: DescField): Schema;
  /** A message written out, without some of its members. */
  ofMessage(message: DescMessage, without?: ReadonlySet<string>): Schema;
  /** All schemas referred to so far, by name. */
  components(): Record<string, Schema>;
};

/** Collects the schemas of messages; each is described once, and only when something refers to it. */
export function createSchemas(): Schemas {
  const described = new Map<string, Schema>();
  const refTo = (message: DescMessage): Schema => {
    const known = WELL_KNOWN[message.typeName];
    if (known) return known;
    const wrapped = wrappedScalar(message);
    if (wrapped) return ofScalar(wrapped.scalar);
    const name = message.typeName.replace(/^scalekit\.v1\./, '');
    if (!described.has(name)) {
      described.set(name, {}); // before its members: a message may hold itself
      described.set(name, ofMessage(message));
    }
    return { $ref: `#/components/schemas/${name}` };
  };
  const ofOne = (field: DescField): Schema => {
    if (field.message) return refTo(field.message);
    if (field.enum) {
      return { type: 'string', enum: [...new Set(field.enum.values.map(({ name }) => name))] };
    }
    return field.scalar === undefined ? {} : ofScalar(field.scalar);
  };
  const ofField = (field: DescField): Schema => {
    const rules = hasOption(field, rulesOption) ? getOption(field, rulesOption) : undefined;
    const deprecated = field.proto.options?.deprecated ? { deprecated: true } : {};
    if (field.fieldKind === 'list') {
      const { value } = rules?.type.case === 'repeated' ? rules.type : { value: undefined };
      return {
        type: 'array',
        items: { ...ofOne(field), ...limitsOf(value?.items) },
        ...atLeast('minItems', value?.minItems),
        ...most('maxItems', value?.maxItems),
        ...(value?.unique ? { uniqueItems: true } : {}),
        ...deprecated,
      };
    }
    if (field.fieldKind === 'map') {
      const { value } = rules?.type.case === 'map' ? rules.type : { value: undefined };
      return {
        type: 'object',
        additionalProperties: { ...ofOne(field), ...limitsOf(value?.values) },
        ...most('maxProperties', value?.maxPairs),
        ...deprecated,
      };
    }
    return { ...ofOne(field), ...limitsOf(rules), ...deprecated };
  };
  const ofMessage = (message: DescMessage, without?: ReadonlySet<string>): Schema => {
    const fields = message.fields.filter(({ name }) => !without?.has(name));
    const required = fields
      .filter((field) => hasOption(field, rulesOption) && getOption(field, rulesOption).required)
      .map(({ name }) => name);
    return {
      type: 'object',
      properties: Object.fromEntries(fields.map((field) => [field.name, ofField(field)])),
      ...(required.length > 0 ? { required } : {}),
    };
  };
  return { refTo, ofField, ofMessage, components: () => Object.fromEntries([...described].sort()) };
}

/** The scalar inside of `google.protobuf.StringValue` and its like. */
export function wrappedScalar(message: DescMessage): { readonly scalar: ScalarType } | undefined {
  if (!/^google\.protobuf\.\w+Value$/.test(message.typeName)) return undefined;
  const scalar = message.fields[0]?.scalar;
  return scalar === undefined || message.fields.length > 1 ? undefined : { scalar };
}

/** The form a scalar has in JSON: numbers of 64 bits are strings. */
function ofScalar(scalar: ScalarType): Schema {
  switch (scalar) {
    case ScalarType.BOOL:
      return { type: 'boolean' };
    case ScalarType.STRING:
      return { type: 'string' };
    case ScalarType.BYTES:
      return { type: 'string', contentEncoding: 'base64' };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { type: 'number' };
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { type: 'integer', minimum: 0, maximum: 4_294_967_295 };
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return { type: 'integer', format: 'int32' };
    default:
      return { type: 'string', format: 'int64' };
  }
}

function limitsOf(rules: FieldRules | undefined): Schema {
  const { type } = rules ?? { type: { case: undefined } };
  if (type.case === 'string') return limitsOfText(type.value);
  if (type.case !== 'int32' && type.case !== 'uint32') return {};
  const { greaterThan, lessThan } = type.value;
  return {
    ...(greaterThan.case === 'gte' ? { minimum: greaterThan.value } : {}),
    ...(greaterThan.case === 'gt' ? { exclusiveMinimum: greaterThan.value } : {}),
    ...(lessThan.case === 'lte' ? { maximum: lessThan.value } : {}),
  };
}

function limitsOfText(rules: StringRules): Schema {
  const format = rules.wellKnown.case === 'email' || rules.wellKnown.case === 'uri';
  const pattern = rules.pattern || (rules.prefix ? `^${rules.prefix}` : '');
  return {
    ...atLeast('minLength', rules.minLen),
    ...most('maxLength', rules.maxLen),
    ...(pattern === '' ? {} : { pattern }),
    ...(rules.in.length > 0 ? { enum: [...rules.in] } : {}),
    ...(format ? { format: rules.wellKnown.case ?? '' } : {}),
  };
}

function atLeast(name: string, limit: bigint | undefined): Schema {
  return limit === undefined || limit === 0n ? {} : { [name]: Number(limit) };
}

function most(name: string, limit: bigint | undefined): Schema {
  return limit === undefined || limit === 0n ? {} : { [name]: Number(limit) };
}
