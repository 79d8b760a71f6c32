import { type DescField, type DescMessage, type DescMethod, getOption } from '@bufbuild/protobuf';
import { method_visibility } from '@gatewarden/contract/google/api/visibility_pb';
import { ErrorInfoSchema } from '@gatewarden/contract/scalekit/v1/errdetails/errdetails_pb';
import {
  AuthenticationType,
  auth_option,
} from '@gatewarden/contract/scalekit/v1/options/options_pb';
import type { Service } from './calls.ts';
import { createSchemas, type Schema, type Schemas, wrappedScalar } from './openapi-schemas.ts';
import { successStatus } from './rest.ts';
import { type Binding, bindingsOf } from './rest-bindings.ts';

export type Parameter = {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required?: true;
  readonly schema: Schema;
};

type Content = { readonly 'application/json': { readonly schema: Schema } };
type Response = { readonly description: string; readonly content: Content };

/** Who gets in: everybody, a client of the environment with its token, or only others than clients. */
export type Callers = 'open' | 'client' | 'other';

export type Operation = {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly [string];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, Response | { readonly $ref: string }>>;
  readonly security?: readonly [];
  readonly deprecated?: true;
  readonly 'x-callers': Callers;
  /** May change with a minor version. */
  readonly 'x-preview'?: true;
  /** The contract has it, this server does not: it answers 501. */
  readonly 'x-unavailable'?: true;
};

export type OpenApi = {
  readonly openapi: '3.1.1';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly [{ readonly url: '/' }];
  readonly security: readonly [{ readonly bearer: readonly [] }];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly securitySchemes: {
      readonly bearer: { readonly type: 'http'; readonly scheme: 'bearer' };
    };
    readonly responses: { readonly Error: Response };
    readonly schemas: Readonly<Record<string, Schema>>;
  };
};

const ERROR: Schema = {
  type: 'object',
  required: ['code', 'message', 'details'],
  properties: {
    code: { type: 'integer', description: 'Code of gRPC, such as 5 for NOT_FOUND.' },
    message: { type: 'string' },
    details: {
      type: 'array',
      items: {
        allOf: [
          { $ref: '#/components/schemas/errdetails.ErrorInfo' },
          { type: 'object', required: ['@type'], properties: { '@type': { type: 'string' } } },
        ],
      },
    },
  },
};

/** The REST API as OpenAPI 3.1, from the descriptors that the server routes and checks by. */
export function describeApi(services: readonly Service[]): OpenApi {
  const schemas = createSchemas();
  schemas.refTo(ErrorInfoSchema);
  const bindings = bindingsOf(services);
  const paths: Record<string, Record<string, Operation>> = {};
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const service of services) {
    for (const binding of bindings.filter((each) => each.service === service)) {
      const path = pathOf(binding, names);
      const operation = describeOperation(binding, path, schemas, taken);
      paths[path] = { ...paths[path], [binding.verb.toLowerCase()]: operation };
    }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Gatewarden management API',
      version: '1',
      description:
        'The management API over REST. The same methods answer gRPC, gRPC-Web and Connect at /<service>/<method>.',
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: services.map(({ desc }) => ({ name: tagOf(desc.name) })),
    paths: Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1))),
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      responses: { Error: response('The call failed.', { $ref: '#/components/schemas/Error' }) },
      schemas: { Error: ERROR, ...schemas.components() },
    },
  };
}

/** Paths that differ only in the names of their variables are one path in OpenAPI: the first one's names stand for all. */
function pathOf({ template }: Binding, names: Map<string, string>): string {
  const path = template.replace('**', '{path}');
  const shape = path.replace(/\{[^}]+\}/g, '{}');
  const known = names.get(shape) ?? path;
  names.set(shape, known);
  return known;
}

function describeOperation(
  binding: Binding,
  path: string,
  schemas: Schemas,
  taken: Set<string>,
): Operation {
  const { method, service, elsewhere } = binding;
  const { restriction } = getOption(method, method_visibility);
  const callers = callersOf(method);
  const body = bodyOf(binding, schemas);
  return {
    operationId: idOf(method, taken),
    summary: sentence(method.name),
    tags: [tagOf(service.desc.name)],
    parameters: [...pathParameters(binding, path, schemas), ...queryParameters(binding, schemas)],
    ...(body && { requestBody: { required: true, content: json(body) } }),
    responses: {
      [successStatus(method)]: response(
        'The call succeeded.',
        elsewhere ? { type: 'object' } : schemas.refTo(method.output),
      ),
      default: { $ref: '#/components/responses/Error' },
    },
    ...(callers === 'open' && { security: [] as const }),
    ...(method.proto.options?.deprecated && { deprecated: true as const }),
    'x-callers': callers,
    ...(restriction.split(',').includes('PREVIEW') && { 'x-preview': true as const }),
    ...(!elsewhere && !service.rpcs.has(method.localName) && { 'x-unavailable': true as const }),
  };
}

function callersOf(method: DescMethod): Callers {
  const { authenticationType } = getOption(method, auth_option);
  if (authenticationType === AuthenticationType.NONE) return 'open';
  return (authenticationType & AuthenticationType.CLIENT) === 0 ? 'other' : 'client';
}

function idOf(method: DescMethod, taken: Set<string>): string {
  const base = `${method.parent.name}_${method.name}`;
  let id = base;
  for (let next = 2; taken.has(id); next += 1) id = `${base}_${next}`;
  taken.add(id);
  return id;
}

function pathParameters(
  { method, variables }: Binding,
  path: string,
  schemas: Schemas,
): Parameter[] {
  return [...path.matchAll(/\{([^}]+)\}/g)].map(([, name = ''], index) => {
    const field = fieldAt(method.input, variables[index] ?? []);
    const schema = field ? schemas.ofField(field) : { type: 'string' };
    return { name, in: 'path', required: true, schema };
  });
}

function fieldAt(message: DescMessage, path: readonly string[]): DescField | undefined {
  const [name, ...rest] = path;
  const field = message.fields.find((each) => each.name === name);
  return rest.length === 0 || !field?.message ? field : fieldAt(field.message, rest);
}

function queryParameters({ method, variables, body }: Binding, schemas: Schemas): Parameter[] {
  if (body === '*') return [];
  const inPath = new Set(variables.map((path) => path[0]));
  const rest = method.input.fields.filter(({ name }) => name !== body && !inPath.has(name));
  return rest.flatMap((field) => parametersOf(field, field.name, schemas, new Set()));
}

/** A member as query parameters: members of members with dots; maps, and lists of messages, cannot be written so. */
function parametersOf(
  field: DescField,
  name: string,
  schemas: Schemas,
  within: ReadonlySet<string>,
): Parameter[] {
  const { message } = field;
  const plain = !message || isText(message);
  if (field.fieldKind === 'map' || (field.fieldKind === 'list' && !plain)) return [];
  if (plain) return [{ name, in: 'query', schema: schemas.ofField(field) }];
  if (within.has(message.typeName)) return [];
  const deeper = new Set([...within, message.typeName]);
  return message.fields.flatMap((each) =>
    parametersOf(each, `${name}.${each.name}`, schemas, deeper),
  );
}

function isText(message: DescMessage): boolean {
  return (
    /^google\.protobuf\.(Timestamp|Duration|FieldMask)$/.test(message.typeName) ||
    wrappedScalar(message) !== undefined
  );
}

function bodyOf({ method, variables, body, elsewhere }: Binding, schemas: Schemas): Schema | false {
  if (elsewhere) return { type: 'object', additionalProperties: true };
  if (body === '') return false;
  const field = method.input.fields.find(({ name }) => name === body);
  if (field) return schemas.ofField(field);
  if (variables.length === 0) return schemas.refTo(method.input);
  return schemas.ofMessage(method.input, new Set(variables.map(([name = '']) => name)));
}

function json(schema: Schema): Content {
  return { 'application/json': { schema } };
}

function response(description: string, schema: Schema): Response {
  return { description, content: json(schema) };
}

function tagOf(service: string): string {
  return service.replace(/Service$/, '');
}

/** `ListEffectiveRolePermissions` as words. Abbreviations stay whole. */
function sentence(name: string): string {
  const words = name.match(/[A-Z]{2,}s?(?=[A-Z][a-z]|$)|[A-Z]?[a-z0-9]+|[A-Z]+/g) ?? [name];
  return words
    .map((word, index) => (index === 0 || /^[A-Z]{2}/.test(word) ? word : word.toLowerCase()))
    .join(' ');
}
