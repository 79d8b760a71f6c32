import { gatewarden } from '@gatewarden/express';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';

const port = Number(process.env['PORT'] ?? 3000);
const serverUrl = `http://localhost:${port}/mcp`;
const environmentUrl = process.env['GATEWARDEN_ENVIRONMENT_URL'] ?? 'http://localhost:8080';
const resourceId = process.env['MCP_RESOURCE_ID'] ?? 'res_1234567890';
const app = express();
app.use(gatewarden({ environmentUrl, resourceId, serverUrl, tools: { list_todos: 'todo:read' } }));
app.all('/mcp', async (req, res) => {
  const server = new McpServer({ name: 'todos', version: '1.0.0' });
  server.registerTool('list_todos', {}, () => ({ content: [{ type: 'text', text: 'Buy milk' }] }));
  const transport = new StreamableHTTPServerTransport({});
  await server.connect(transport);
  await transport.handleRequest(req, res, req.body);
});
app.listen(port, '127.0.0.1', () => console.log(`http://localhost:${port}/mcp`));
