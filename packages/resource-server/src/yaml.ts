import { parseDocument, visit } from 'yaml';
import { ConfigurationError } from './errors.ts';
import { readToolScopeMap } from './tool-scope-map.ts';

const sizeLimit = 1_048_576;

/**
 * Reads a tool scope map from YAML text, which may as well be JSON (RS-35). A file that could be understood in
 * two ways is refused: keys used twice or not plain, aliases, tags, several documents, more than 1 MiB. So are
 * keys that mean nothing. A file without `default` denies unlisted tools.
 *
 * @throws {ConfigurationError} invalid_tool_map
 */
export function loadToolScopeMap(text: string): ReturnType<typeof readToolScopeMap> {
  if (typeof text !== 'string') throw wrong('is not a text');
  if (text.length > sizeLimit || new TextEncoder().encode(text).byteLength > sizeLimit)
    throw wrong('is larger than 1 MiB');
  return readToolScopeMap(parseYaml(text));
}

function parseYaml(text: string): unknown {
  try {
    const document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      strict: true,
      stringKeys: true,
      uniqueKeys: true,
      prettyErrors: false,
      logLevel: 'error',
    });
    // A warning is a directive or a tag that this reader does not know, so it may not mean what it seems to.
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw problem;
    visit(document, {
      Node: (_key, { tag }) => {
        // A set has no members that a rule is read from, so it would be a rule that needs nothing.
        if (tag !== undefined) throw new TypeError('it has a tag');
      },
    });
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    // Deep nesting ends in a RangeError of the parser; that is a fault of the file as well.
    throw wrong(`cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}

function wrong(what: string): ConfigurationError {
  return new ConfigurationError('invalid_tool_map', `the tool scope map ${what}`);
}
