/** What is left to try by hand: the server in three clients that people use (SKILL-17). */
export function hostSteps(target: string): string {
  const entry = JSON.stringify({ mcpServers: { mine: { url: target } } });
  return `
What only a real client shows:
  Claude Desktop  Settings, Connectors, "Add custom connector": ${target}
  Cursor          ~/.cursor/mcp.json: ${entry}
  VS Code         Command "MCP: Add Server", HTTP: ${target}
Then sign in, and call one tool that your scopes allow and one that they do not.
`;
}
