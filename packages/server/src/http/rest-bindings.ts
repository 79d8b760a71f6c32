import { type DescMethod, getOption, hasOption } from '@bufbuild/protobuf';
import { http } from '@gatewarden/contract/google/api/annotations_pb';
import type { HttpRule } from '@gatewarden/contract/google/api/http_pb';
import type { Service } from './calls.ts';

/** One verb and path of one method. */
export type Binding = {
  readonly verb: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** The path as the contract writes it: `/api/v1/roles/{role_name}`. */
  readonly template: string;
  readonly pattern: RegExp;
  /** For each variable of the path the field it fills, in order. */
  readonly variables: readonly (readonly string[])[];
  /** The field that is the body, `*` for all, empty for none. */
  readonly body: string;
  readonly service: Service;
  readonly method: DescMethod;
  readonly weight: number;
  /** A route of its own answers; the binding is only known so that other verbs get 405. */
  readonly elsewhere: boolean;
};

/** Answered by a route of its own, because RFC 7591 says what it reads and writes. */
const NOT_TRANSCODED = new Set(['scalekit.v1.clients.ClientService.RegisterClient']);

const VERBS = { get: 'GET', put: 'PUT', post: 'POST', patch: 'PATCH', delete: 'DELETE' } as const;

/** All bindings of the services, the most literal first, so that `/{id}:enable` comes before `/{id}`. */
export function bindingsOf(services: readonly Service[]): Binding[] {
  return services
    .flatMap((service) =>
      service.desc.methods.flatMap((method) => bindingsOfMethod(service, method)),
    )
    .sort((a, b) => b.weight - a.weight);
}

function bindingsOfMethod(service: Service, method: DescMethod): Binding[] {
  if (!hasOption(method, http)) return [];
  const elsewhere = NOT_TRANSCODED.has(`${service.desc.typeName}.${method.name}`);
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings].map((each) => ({
    ...compileRule(method, each),
    service,
    method,
    elsewhere,
  }));
}

function compileRule(
  method: DescMethod,
  rule: HttpRule,
): Omit<Binding, 'service' | 'method' | 'elsewhere'> {
  const { pattern } = rule;
  if (pattern.case === undefined || pattern.case === 'custom') {
    throw new Error(`${method.name} has a path rule without a verb`);
  }
  return {
    verb: VERBS[pattern.case],
    template: pattern.value,
    body: rule.body,
    ...compileTemplate(pattern.value),
  };
}

/**
 * A template as an expression. A variable takes one segment, colons included: permission names have them. `**` at the end takes
 * all that follows.
 */
function compileTemplate(template: string): Pick<Binding, 'pattern' | 'variables' | 'weight'> {
  const variables: string[][] = [];
  let source = '';
  let weight = 0;
  const open = template.endsWith('/**');
  for (const part of (open ? template.slice(0, -3) : template).split(/(\{[^}]+\})/)) {
    const name = /^\{([^=}]+)\}$/.exec(part)?.[1];
    if (name === undefined) {
      if (part.includes('*') || part.includes('{'))
        throw new Error(`the path "${template}" is not supported`);
      source += part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      weight += part.length * 2;
    } else {
      variables.push(name.split('.'));
      source += '([^/]+)';
      weight += 1;
    }
  }
  return { pattern: new RegExp(`^${source}${open ? '(?:/.*)?' : ''}$`), variables, weight };
}
