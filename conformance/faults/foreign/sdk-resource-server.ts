import { createServer } from 'node:http';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import {
  getOAuthProtectedResourceMetadataUrl,
  mcpAuthMetadataRouter,
} from '@modelcontextprotocol/sdk/server/auth/router.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { OAuthMetadata } from '@modelcontextprotocol/sdk/shared/auth.js';
import express from 'express';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import type { Ending } from '../good-server.ts';
import { freePort } from './free-port.ts';

/** A stateless MCP server composed from the parts of the official TypeScript SDK 1.x, in front of any issuer of JWTs. */
export async function startSdkResourceServer(
  t: Ending,
  oauthMetadata: OAuthMetadata & { jwks_uri: string },
  scopesSupported: string[],
): Promise<string> {
  const port = await freePort();
  const url = new URL(`http://127.0.0.1:${port}/mcp`);
  const keys = createRemoteJWKSet(new URL(oauthMetadata.jwks_uri));
  const app = express();
  app.use(express.json());
  app.use(mcpAuthMetadataRouter({ oauthMetadata, resourceServerUrl: url, scopesSupported }));
  const auth = requireBearerAuth({
    resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(url),
    verifier: {
      async verifyAccessToken(token) {
        const { issuer } = oauthMetadata;
        const { payload } = await jwtVerify(token, keys, { issuer, audience: url.href }).catch(
          () => {
            // The SDK answers every other error with 500.
            throw new InvalidTokenError('The token is not valid here');
          },
        );
        return {
          token,
          clientId: String(payload['client_id']),
          scopes: String(payload['scope'] ?? '').split(' '),
          expiresAt: Number(payload.exp),
        };
      },
    },
  });
  app.post('/mcp', auth, async (request, response) => {
    const server = new McpServer({ name: 'to-dos', version: '1.0.0' });
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    response.on('close', () => void transport.close());
    // The SDK's own types disagree under exactOptionalPropertyTypes.
    await server.connect(transport as Parameters<typeof server.connect>[0]);
    await transport.handleRequest(request, response, request.body);
  });
  const onlyPost: express.RequestHandler = (_request, response) => {
    response.status(405).end();
  };
  app.get('/mcp', auth, onlyPost);
  app.delete('/mcp', auth, onlyPost);
  const server = createServer(app);
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  return url.href;
}
