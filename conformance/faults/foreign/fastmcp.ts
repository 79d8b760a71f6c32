import { FastMCP, OAuthProvider } from 'fastmcp';
import type { Ending } from '../good-server.ts';
import { startReferenceServer } from '../good-server.ts';
import { freePort } from './free-port.ts';

/** A FastMCP server as its documentation sets one up: its own OAuth proxy in front of another authorization server. */
export async function startFastMcp(t: Ending): Promise<string> {
  const upstream = await startReferenceServer(t);
  const port = await freePort();
  const baseUrl = `http://localhost:${port}`;
  const auth = new OAuthProvider({
    authorizationEndpoint: `${upstream.issuer}/authorize`,
    tokenEndpoint: `${upstream.issuer}/token`,
    baseUrl,
    clientId: 'fastmcp',
    clientSecret: 'a-secret-of-the-fastmcp-proxy',
    scopes: ['todo:read'],
  });
  const server = new FastMCP({ name: 'To-dos', version: '1.0.0', auth });
  server.addTool({ name: 'list_todos', description: 'All to-dos', execute: async () => '[]' });
  await server.start({
    transportType: 'httpStream',
    httpStream: { port, host: '127.0.0.1', stateless: true },
  });
  t.after(async () => {
    await server.stop();
    auth.getProxy().destroy();
  });
  return `${baseUrl}/mcp`;
}
