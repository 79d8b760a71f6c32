import { ConfigurationError } from './errors.ts';
import { isMapping } from './option-check.ts';
import type { McpServerOptions, MethodCall, ScopeRule, ToolCall } from './options.ts';
import { isScopeToken } from './token-claims.ts';

/** The sets of scopes of which one must be granted; empty when nobody may. */
export type Alternatives = readonly (readonly string[])[];

export type ScopeRules = {
  readonly base: readonly string[];
  readonly supported: readonly string[];
  forTool(call: ToolCall): Alternatives;
  /** What a tool needs in any case; undefined where that depends on the arguments. */
  forListing(tool: string): Alternatives | undefined;
  forMethod(call: MethodCall): Alternatives;
  /** Whether a grant covers a scope, with everything the granted ones imply (RS-41). */
  covers(granted: readonly string[], scope: string): boolean;
};

type Compiled<Call> = {
  readonly of: (call: Call) => Alternatives;
  /** Without a call; undefined for a function. */
  readonly fixed: Alternatives | undefined;
};

/**
 * Compiles the scope map of one server (RS-35). Names are looked up in maps, so that `__proto__` or
 * `constructor` is a tool name like any other (RS-45).
 *
 * @throws {ConfigurationError} unknown_scope: a rule uses a scope that is not declared, or not a scope at all
 * @throws {ConfigurationError} invalid_option: a rule for `tools/call` among the methods, or one of unknown form
 */
export function compileScopeRules(options: McpServerOptions): ScopeRules {
  const declared = declaredScopes(options);
  const known = declared ? new Set(declared) : undefined;
  const mentioned = new Set<string>(declared);
  const check = (scope: unknown): string => {
    if (!isScopeToken(scope) || (known && !known.has(scope))) {
      throw new ConfigurationError(
        'unknown_scope',
        `a rule uses ${JSON.stringify(scope)}, which is not a declared scope`,
      );
    }
    return scope;
  };
  const mention = (scope: unknown): string => {
    const checked = check(scope);
    mentioned.add(checked);
    return checked;
  };
  const base = (options.baseScopes ?? []).map(mention);
  const compile = <Call>(rule: ScopeRule | ((call: Call) => ScopeRule)): Compiled<Call> => {
    // What a function answers may come from arguments: it is checked and not kept.
    if (typeof rule === 'function')
      return { of: (call) => alternatives(rule(call), base, check), fixed: undefined };
    const fixed = alternatives(rule, base, mention);
    return { of: () => fixed, fixed };
  };

  const tools = new Map(
    Object.entries(options.tools ?? {}).map(([name, rule]) => [name, compile<ToolCall>(rule)]),
  );
  const methods = new Map(
    Object.entries(options.methods ?? {}).map(([name, rule]) => [name, compile<MethodCall>(rule)]),
  );
  if (methods.has('tools/call')) {
    throw new ConfigurationError('invalid_option', 'tools/call is decided by the option tools');
  }
  const unlisted = { deny: [], base: [base], allow: [[]] }[options.defaultPolicy ?? 'base'];
  if (!unlisted)
    throw new ConfigurationError('invalid_option', 'defaultPolicy must be deny, base or allow');
  const covers = compileHierarchy(options);
  return {
    base,
    supported: [...mentioned],
    forTool: (call) => tools.get(call.tool)?.of(call) ?? unlisted,
    forListing: (tool) => (tools.has(tool) ? tools.get(tool)?.fixed : unlisted),
    forMethod: (call) => methods.get(call.method)?.of(call) ?? [base],
    covers,
  };
}

function declaredScopes(options: McpServerOptions): readonly string[] | undefined {
  const { scopes } = options;
  if (scopes === undefined) return undefined;
  if (!Array.isArray(scopes) && !isMapping(scopes))
    throw new ConfigurationError('unknown_scope', 'scopes must be a list or an object');
  const names: readonly string[] = Array.isArray(scopes) ? scopes : Object.keys(scopes);
  const wrong = names.find((name) => !isScopeToken(name));
  if (wrong !== undefined) {
    throw new ConfigurationError(
      'unknown_scope',
      `${JSON.stringify(wrong)} is not a scope (RFC 6749 section 3.3)`,
    );
  }
  return names;
}

/**
 * The sets of scopes a rule stands for. A rule of another form, such as a promise or a misspelled member,
 * is refused: read generously it would need nothing.
 */
function alternatives(
  rule: unknown,
  base: readonly string[],
  check: (scope: unknown) => string,
): Alternatives {
  if (rule === false) return [];
  const { all = [], anyOf } = ruleParts(rule);
  const always = [...base, ...all.map(check)];
  if (anyOf === undefined) return [[...new Set(always)]];
  return anyOf.map((set) => {
    const names: readonly unknown[] = Array.isArray(set) ? set : [set];
    if (names.length === 0) throw wrongRule();
    return [...new Set([...always, ...names.map(check)])];
  });
}

function ruleParts(rule: unknown): { all?: readonly unknown[]; anyOf?: readonly unknown[] } {
  if (typeof rule === 'string') return { all: [rule] };
  if (Array.isArray(rule)) return { all: rule };
  if (!isMapping(rule)) throw wrongRule();
  const { all, anyOf, ...others } = rule;
  const empty = all === undefined && anyOf === undefined;
  if (empty || Object.keys(others).length > 0) throw wrongRule();
  return {
    ...(all === undefined ? {} : { all: listed(all) }),
    ...(anyOf === undefined ? {} : { anyOf: listed(anyOf) }),
  };
}

function listed(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw wrongRule();
  return value;
}

function wrongRule(): ConfigurationError {
  return new ConfigurationError(
    'invalid_option',
    'a rule must be a scope, a list of scopes, an object of all and anyOf (both lists), or false',
  );
}

/** MCP asks servers to account for hierarchies of scopes; loops in the map do no harm. */
function compileHierarchy(options: McpServerOptions): ScopeRules['covers'] {
  const implied = new Map(Object.entries(options.impliedScopes ?? {}));
  for (const [scope, lower] of implied) {
    if (!isScopeToken(scope) || !Array.isArray(lower) || !lower.every(isScopeToken))
      throw new ConfigurationError(
        'unknown_scope',
        `impliedScopes must map scopes to lists of scopes; ${JSON.stringify(scope)} does not`,
      );
  }
  const expand = (granted: readonly string[]): ReadonlySet<string> => {
    const all = new Set(granted);
    for (const scope of all) for (const lower of implied.get(scope) ?? []) all.add(lower);
    return all;
  };
  return (granted, scope) => {
    if (granted.includes(scope)) return true;
    const all = implied.size > 0 ? expand(granted) : granted;
    for (const name of all) {
      if (name === scope) return true;
      if (
        options.wildcardScopes === true &&
        name.endsWith(':*') &&
        scope.startsWith(name.slice(0, -1))
      )
        return true;
    }
    return false;
  };
}

/**
 * The scopes to ask for when none of the alternatives is covered: those of the alternative that lacks the
 * fewest, all of them in one list (RS-39). `undefined` when one is covered.
 */
export function missingScopes(
  rules: ScopeRules,
  options: Alternatives,
  granted: readonly string[],
): readonly string[] | undefined {
  let nearest: readonly string[] = [];
  let fewest = Number.POSITIVE_INFINITY;
  for (const needed of options) {
    const missing = needed.filter((scope) => !rules.covers(granted, scope)).length;
    if (missing === 0) return undefined;
    if (missing < fewest) [nearest, fewest] = [needed, missing];
  }
  return nearest;
}
