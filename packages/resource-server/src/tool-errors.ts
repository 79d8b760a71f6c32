import { challengeText } from './answers.ts';
import { metadataUrlOf } from './metadata.ts';
import type { McpServerOptions } from './options.ts';
import { compileScopeRules, missingScopes } from './scope-rules.ts';

/** A result of `tools/call` that says which scopes are missing, for clients that read it there. */
export type ToolScopeError = {
  isError: true;
  content: { type: 'text'; text: string }[];
  _meta: {
    error: 'insufficient_scope';
    error_description: string;
    /** All scopes the operation needs, separated by spaces. */
    scope: string;
    resource_metadata: string;
    /** The challenge that a response with status 403 would have had. */
    'mcp/www_authenticate': string[];
  };
};

/**
 * Makes a check for the inside of a tool, where the status can no longer be 403 because the answer has begun,
 * or because what is needed turns out late (RS-44). It answers `undefined` when the caller has every scope,
 * and otherwise what the tool should return.
 *
 *     const missing = checkToolScopes(context.authInfo, 'todo:purge');
 *     if (missing) return missing;
 *
 * @throws {ConfigurationError} the declaration has rules that cannot work
 */
export function toolScopeCheck<S extends string>(
  declaration: McpServerOptions<S>,
): (
  auth: { readonly scopes: readonly string[] } | undefined,
  needed: NoInfer<S> | readonly NoInfer<S>[],
) => ToolScopeError | undefined {
  const rules = compileScopeRules(declaration);
  const resourceMetadata = metadataUrlOf(declaration.serverUrl);
  return (auth, needed) => {
    const wanted: readonly string[] = typeof needed === 'string' ? [needed] : needed;
    const granted = auth?.scopes ?? [];
    // Without a caller nothing is granted, also where nothing is needed.
    if (auth && !missingScopes(rules, [wanted], granted)) return undefined;
    const scopes = declaration.challengeIncludesGranted
      ? [...new Set([...granted, ...wanted])]
      : wanted;
    const description = `Required scope: ${wanted.join(' ')}`;
    const challenge = challengeText({
      realm: declaration.realm,
      error: 'insufficient_scope',
      error_description: description,
      scope: scopes.join(' '),
      resource_metadata: resourceMetadata,
    });
    return {
      isError: true,
      content: [{ type: 'text', text: description }],
      _meta: {
        error: 'insufficient_scope',
        error_description: description,
        scope: scopes.join(' '),
        resource_metadata: resourceMetadata,
        'mcp/www_authenticate': [challenge],
      },
    };
  };
}
