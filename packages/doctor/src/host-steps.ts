import { internetProblem } from './client-verdicts.ts';

/** What is left to try by hand: the server in three clients that people use (SKILL-17). */
export function hostSteps(target: string): string {
  const entry = JSON.stringify({ mcpServers: { mine: { url: target } } });
  const isOutside = internetProblem(new URL(target)) === undefined;
  return `
What only a real client shows:
  Claude Desktop  Settings, Connectors, "Add custom connector": ${isOutside ? target : 'needs an https address on the internet, not this one'}
  Cursor          ~/.cursor/mcp.json: ${entry}
  VS Code         Command "MCP: Add Server", HTTP: ${target}
Then sign in, and call one tool that your scopes allow and one that they do not.
`;
}
