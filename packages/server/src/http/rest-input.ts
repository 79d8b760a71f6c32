import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescMethod,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
  ScalarType,
} from '@bufbuild/protobuf';
import { ApiError } from './api-error.ts';
import { invalidField } from './request-checks.ts';
import type { Binding } from './rest-bindings.ts';

export type RestInput = {
  readonly variables: readonly string[];
  readonly query: string;
  /** The parsed JSON body; undefined when there is none. */
  readonly body: unknown;
};

const MOST_PARAMETERS = 200;

/**
 * The request message of a REST call: path variables first, then the body, then the query for what neither holds. Names may be
 * snake_case, as documented, or lowerCamelCase.
 *
 * @throws {ApiError} invalid_argument: malformed, of the wrong type, or a query parameter the method does not have
 */
export function readRestInput(binding: Binding, input: RestInput): Message {
  const { method } = binding;
  const json = emptyObject();
  addBody(binding, json, input.body);
  if (binding.verb === 'PATCH') addMask(binding, json, input.body);
  addQuery(binding, json, input.query);
  binding.variables.forEach((path, index) => {
    put(method.input, json, path, [decodePart(input.variables[index] ?? '')], path.join('.'));
  });
  checkNames(method.input, json, '');
  try {
    return fromJson(method.input, json, { ignoreUnknownFields: true });
  } catch (error) {
    // The reader's words name the field and what it expected; they may quote what the caller sent, to the caller.
    const detail = error instanceof Error ? error.message.slice(0, 300) : '';
    throw invalid(`the request cannot be read: ${detail}`);
  }
}

function addBody({ body, method }: Binding, json: JsonObject, sent: unknown): void {
  if (body === '') return; // an empty object is tolerated where no body is expected
  const value = sent === undefined ? emptyObject() : (sent as JsonValue); // what JSON.parse made
  if (body === '*') {
    if (!isObject(value)) throw invalid('the body must be a JSON object');
    Object.assign(json, value);
    return;
  }
  const field = fieldOf(method.input, body);
  if (!field) throw new Error(`${method.name} has no field "${body}" to be its body`);
  json[field.jsonName] = value;
}

/** The members of a PATCH body are what the caller wants changed, also when they are empty. */
function addMask({ body, method }: Binding, json: JsonObject, sent: unknown): void {
  const mask = fieldOf(method.input, 'update_mask');
  const target = body === '' || body === '*' ? undefined : fieldOf(method.input, body)?.message;
  if (mask?.message?.typeName !== 'google.protobuf.FieldMask' || !target || !isObject(sent)) return;
  const fields = Object.keys(sent).flatMap((name) => fieldOf(target, name)?.jsonName ?? []);
  json[mask.jsonName] = fields.join(',');
}

function addQuery({ body, method, variables }: Binding, json: JsonObject, query: string): void {
  const given = new Map<string, string[]>();
  const pairs = query === '' ? [] : query.split('&', MOST_PARAMETERS + 1);
  if (pairs.length > MOST_PARAMETERS) throw invalid('there are too many query parameters');
  for (const pair of pairs) {
    if (pair === '') continue;
    const [name = '', ...rest] = pair.split('=');
    const key = decodePart(name.replaceAll('+', ' '));
    given.set(key, [...(given.get(key) ?? []), decodePart(rest.join('=').replaceAll('+', ' '))]);
  }
  for (const [name, values] of given) {
    const path = name.split('.');
    const top = fieldOf(method.input, path[0] ?? '');
    const elsewhere =
      body === '*' || top?.name === body || variables.some(([first]) => first === top?.name);
    if (!top || elsewhere) throw unknownParameter(name);
    put(method.input, json, path, values, name);
  }
}

/** Puts values of a path or query into the JSON form of a message, following its descriptor. */
function put(
  desc: DescMessage,
  into: JsonObject,
  path: readonly string[],
  values: readonly string[],
  whole: string,
): void {
  const [name = '', ...rest] = path;
  const field = fieldOf(desc, name);
  if (!field) throw unknownParameter(whole);
  if (rest.length === 0) {
    if (values.length > 1 && field.fieldKind !== 'list')
      throw invalid(`"${whole}" occurs more than once`);
    const scalars = values.map((value) => scalarOf(field, value, whole));
    if (field.fieldKind !== 'list') delete into[field.name]; // the other spelling, from a body
    into[field.jsonName] = field.fieldKind === 'list' ? scalars : (scalars[0] ?? '');
    return;
  }
  const inner = into[field.jsonName] ?? emptyObject();
  into[field.jsonName] = inner;
  if (!isObject(inner)) throw unknownParameter(whole);
  if (field.fieldKind === 'map')
    inner[rest.join('.')] = scalarOf(field, values.at(-1) ?? '', whole);
  else if (field.fieldKind === 'message') put(field.message, inner, rest, values, whole);
  else throw unknownParameter(whole);
}

/** A value in the JSON form of its field. Numbers, times, durations and names of enum values are strings there already. */
function scalarOf(field: DescField, value: string, whole: string): JsonValue {
  const scalar = scalarTypeOf(field);
  if (scalar === ScalarType.BOOL) {
    if (value === 'true' || value === 'false') return value === 'true';
    throw invalid(`"${whole}" must be true or false`);
  }
  if (field.enum && /^-?[0-9]{1,10}$/.test(value)) return Number(value);
  // Left out, a name that does not exist would ask for everything where it was to ask for less.
  if (field.enum && !hasName(field.enum, value))
    throw invalid(`"${whole}" has no value "${value.slice(0, 100)}"`);
  if (field.message?.typeName === 'google.protobuf.FieldMask') {
    return value.replace(/_([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());
  }
  if (
    scalar === undefined &&
    !field.enum &&
    field.message &&
    !TEXT_MESSAGES.has(field.message.typeName)
  ) {
    throw invalid(`"${whole}" cannot be a query parameter; name one of its members`);
  }
  return value;
}

const TEXT_MESSAGES = new Set(['google.protobuf.Timestamp', 'google.protobuf.Duration']);

function scalarTypeOf(field: DescField): ScalarType | undefined {
  if (field.scalar !== undefined) return field.scalar;
  const name = field.message?.typeName ?? '';
  return /^google\.protobuf\.\w+Value$/.test(name) ? field.message?.fields[0]?.scalar : undefined;
}

/**
 * Refuses names that an enumeration does not have. The reader leaves them out like members that it does not know, and the call
 * would mean something else than was asked: `FAIL_CLOSE` would set nothing.
 */
function checkNames(desc: DescMessage, json: JsonObject, prefix: string): void {
  if (desc.typeName.startsWith('google.protobuf.')) return; // their JSON has a form of its own
  for (const [name, value] of Object.entries(json)) {
    const field = fieldOf(desc, name);
    if (!field) continue;
    const path = `${prefix}${field.name}`;
    for (const [part, one] of partsOf(field, path, value)) {
      if (field.enum && typeof one === 'string' && !hasName(field.enum, one))
        throw invalidField(part, `has no value "${one.slice(0, 100)}"`, 'enum.defined_only');
      if (field.message && isObject(one)) checkNames(field.message, one, `${part}.`);
    }
  }
}

/** What stands in a field, with the path of each: of a list or map its elements, of others the one value. */
function partsOf(field: DescField, path: string, value: JsonValue): [string, JsonValue][] {
  if (field.fieldKind === 'list')
    return Array.isArray(value) ? value.map((one, at) => [`${path}[${at}]`, one]) : [];
  if (field.fieldKind === 'map')
    return isObject(value)
      ? Object.entries(value).map(([at, one]) => [`${path}["${at}"]`, one])
      : [];
  return [[path, value]];
}

function hasName(desc: DescEnum, name: string): boolean {
  return desc.values.some((known) => known.name === name);
}

function fieldOf(desc: DescMessage | DescMethod['input'], name: string): DescField | undefined {
  return desc.fields.find((field) => field.name === name || field.jsonName === name);
}

/** No prototype, so that a key such as `__proto__` is only a key. */
function emptyObject(): JsonObject {
  return Object.create(null);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function decodePart(text: string): string {
  try {
    const value = decodeURIComponent(text);
    if (!value.includes('\0')) return value;
  } catch {
    // answered below
  }
  throw invalid('the path or the query is not correctly encoded');
}

function unknownParameter(name: string): ApiError {
  return new ApiError(
    'invalid_argument',
    'UNKNOWN_PARAMETER',
    `unknown parameter "${name.slice(0, 100)}"`,
  );
}

function invalid(message: string): ApiError {
  return new ApiError('invalid_argument', 'INVALID_ARGUMENT', message);
}
