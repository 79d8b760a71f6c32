import { ConfigurationError } from './errors.ts';
import type { DefaultPolicy, McpServerOptions, ScopeRule } from './options.ts';
import { isRecord, parseStrictJson } from './strict-json.ts';

/**
 * Reads a tool scope map kept in a file:
 * `{ tools: { name: { required: [...], any_of: [...], high_risk: true } }, default }`, as JSON text or as the
 * object a YAML parser made of it. Spread the result into the declaration. A file without `default` denies
 * unlisted tools.
 *
 * @throws {ConfigurationError} invalid_tool_map: an unknown key or a value of the wrong kind
 */
export function readToolScopeMap(
  map: unknown,
): Required<Pick<McpServerOptions, 'tools' | 'defaultPolicy'>> &
  Pick<McpServerOptions, 'highRiskTools'> {
  const file = typeof map === 'string' ? parse(map) : map;
  const { tools, default: policy = 'deny' } = record(file, ['tools', 'default'], 'the map');
  const highRiskTools: string[] = [];
  const rules = Object.entries(record(tools, undefined, 'tools')).map(
    ([name, entry]): [string, ScopeRule] => {
      const where = `tools.${name}`;
      const {
        required = [],
        any_of: anyOf,
        high_risk: highRisk = false,
      } = record(entry, ['required', 'any_of', 'high_risk'], where);
      if (typeof highRisk !== 'boolean') throw wrong(`${where}.high_risk must be true or false`);
      if (highRisk) highRiskTools.push(name);
      const all = scopeNames(required, name);
      if (anyOf === undefined) return [name, { all }];
      if (!Array.isArray(anyOf) || anyOf.length === 0)
        throw wrong(`${where}.any_of must be a list`);
      const sets: readonly unknown[] = anyOf;
      return [name, { all, anyOf: sets.map((set) => alternative(set, name)) }];
    },
  );
  return {
    tools: Object.fromEntries(rules),
    defaultPolicy: defaultPolicy(policy),
    // Absent when none is marked, so that spreading the map empties no list beside it.
    ...(highRiskTools.length > 0 ? { highRiskTools } : {}),
  };
}

function parse(text: string): unknown {
  const parsed = parseStrictJson(text);
  if (parsed.kind === 'duplicate') throw wrong('the map names something twice');
  if (parsed.kind !== 'ok') throw wrong('the map is not JSON');
  return parsed.value;
}

function record(
  value: unknown,
  allowed: readonly string[] | undefined,
  where: string,
): Record<string, unknown> {
  if (!isRecord(value)) throw wrong(`${where} must be a mapping`);
  const unknown = allowed && Object.keys(value).find((key) => !allowed.includes(key));
  if (unknown !== undefined) throw wrong(`${where} has the unknown key ${JSON.stringify(unknown)}`);
  return value;
}

function scopeNames(value: unknown, tool: string): string[] {
  const names: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (!names.every((name) => typeof name === 'string'))
    throw wrong(`scopes of ${tool} must be texts`);
  return [...names];
}

function alternative(set: unknown, tool: string): string[] {
  const names = scopeNames(set, tool);
  if (names.length === 0) throw wrong(`tools.${tool}.any_of has an empty alternative`);
  return names;
}

function defaultPolicy(value: unknown): DefaultPolicy {
  if (value === 'deny' || value === 'base' || value === 'allow') return value;
  throw wrong('default must be deny, base or allow');
}

function wrong(message: string): ConfigurationError {
  return new ConfigurationError('invalid_tool_map', message);
}
