/** The declaration, from the test that starts the app. */
export const mcpServer = JSON.parse(process.env.MCP_SERVER ?? '{}');
