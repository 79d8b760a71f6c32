import { readFile } from 'node:fs/promises';
import {
  ConfigurationError,
  type McpServerOptions,
  readToolScopeMap,
} from '@gatewarden/resource-server';
import { parse } from 'yaml';

export type ToolRules = Required<Pick<McpServerOptions, 'tools' | 'defaultPolicy'>>;

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
  try {
    return readToolScopeMap(parse(text, { uniqueKeys: true, maxAliasCount: 0 }));
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : 'it is not YAML';
    throw new ConfigurationError('invalid_tool_map', `the tool file ${path} is wrong: ${why}`);
  }
}
