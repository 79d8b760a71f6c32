import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';

const port = Number(process.env['PORT'] ?? 3000);
const app = express();
app.use(express.json());
app.all('/mcp', async (req, res) => {
  const server = new McpServer({ name: 'todos', version: '1.0.0' });
  server.registerTool('list_todos', {}, () => ({ content: [{ type: 'text', text: 'Buy milk' }] }));
  const transport = new StreamableHTTPServerTransport({});
  await server.connect(transport);
  await transport.handleRequest(req, res, req.body);
});
app.listen(port, '127.0.0.1', () => console.log(`http://localhost:${port}/mcp`));
