import { createServer } from 'node:net';
import { manage, type Running } from '../gatewarden-process.ts';

/** An MCP server that is registered for one block, and a token for it. */
export type Registered = {
  readonly port: number;
  readonly resourceId: string;
  readonly serverUrl: string;
  token(): Promise<string>;
};

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

/** Registers an MCP server as the documents say, and a machine client that may have all its scopes. */
export async function registerServer(
  gatewarden: Running,
  path: string,
  scopes: readonly string[],
): Promise<Registered> {
  const port = await freePort();
  const serverUrl = `http://localhost:${port}${path}`;
  const { resource } = (await manage(gatewarden, 'POST', '/resources', {
    resource_type: 'MCP_SERVER',
    name: `Documents at ${port}`,
    resource_uri: serverUrl,
    scopes,
  })) as { resource: { id: string } };
  const created = await manage(gatewarden, 'POST', `/resources/${resource.id}/clients`, {
    name: 'Machine',
    scopes,
  });
  const { client_id: clientId } = created['client'] as { client_id: string };
  return {
    port,
    resourceId: resource.id,
    serverUrl,
    async token() {
      const response = await fetch(
        `${gatewarden.environmentUrl}/resources/${resource.id}/oauth/token`,
        {
          method: 'POST',
          body: new URLSearchParams({
            grant_type: 'client_credentials',
            client_id: clientId,
            client_secret: String(created['plain_secret']),
          }),
        },
      );
      const body = (await response.json()) as { access_token?: string };
      if (!body.access_token) throw new Error(JSON.stringify(body));
      return body.access_token;
    },
  };
}

/** The addresses and ids that documents use, replaced by those of this run. */
export function placed(text: string, gatewarden: Running, server: Registered | undefined): string {
  const there = text
    .replaceAll(/https:\/\/auth\.example\.com|http:\/\/localhost:8080/g, gatewarden.environmentUrl)
    .replaceAll(/skc_(?:…|1234567890)/g, gatewarden.clientId)
    .replaceAll(/test_…/g, gatewarden.clientSecret);
  if (!server) return there;
  return there
    .replaceAll(/https:\/\/mcp\.example\.com/g, `http://localhost:${server.port}`)
    .replaceAll(/\bres_(?:…|1234567890)/g, server.resourceId)
    .replaceAll(/(localhost:|listen\(|port: |--port )(3000|3002|8090)\b/g, `$1${server.port}`);
}
