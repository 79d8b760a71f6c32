import { readFile } from 'node:fs/promises';
import { ConfigurationError, type ToolRules } from '@gatewarden/resource-server';
import { loadToolScopeMap } from '@gatewarden/resource-server/yaml';

/**
 * Reads tool scopes from a YAML or JSON file: `tools: {name: {required, any_of}}` and `default` (deny unless stated).
 *
 * @throws {ConfigurationError} invalid_tool_map: unreadable, no YAML, an unknown key or a wrong value
 */
export async function readToolsFile(path: string): Promise<ToolRules> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    throw new ConfigurationError('invalid_tool_map', `the tool file ${path} cannot be read`);
  }
  return loadToolScopeMap(text);
}
