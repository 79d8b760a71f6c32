import { type AccessTokenVerifier, accessTokenVerifier } from '@gatewarden/mcp-sdk';
import { serve } from '@gatewarden/resource-server/testing/guarded-server';
import { requireBearerAuth as requireBearer2 } from '@modelcontextprotocol/express';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth as requireBearer1 } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { OAuthError, OAuthErrorCode } from '@modelcontextprotocol/server';
import express, { type RequestHandler } from 'express';
import { mcpNodeHandler } from '../mcp-tools.ts';
import type { Adapter, Start } from '../target.ts';

const resourceMetadataUrl = 'http://localhost:3333/.well-known/oauth-protected-resource/mcp';

type Gate = (verifier: AccessTokenVerifier) => RequestHandler;

/** An endpoint as the SDK's own documentation builds it, with our verifier in it. */
function startWith(invalidToken: (text: string) => Error, gate: Gate): Start {
  return async (t, [server], ran) => {
    const app = express();
    const mcp = mcpNodeHandler(ran);
    const verifier = accessTokenVerifier(server ?? { serverUrl: '' }, { invalidToken });
    app.use('/mcp', gate(verifier), express.json(), (request, response) => {
      void mcp(request, response, request.body);
    });
    return serve(t, app);
  };
}

const tokenOnly = 'a token verifier sees the token and nothing else of the request';
const challenge = 'the SDK writes the challenge, with an error even where nothing was presented';

const except = {
  publicPath: tokenOnly,
  noToken: challenge,
  expired: challenge,
  twoHeaders: `${tokenOnly}; Node keeps the first of two headers`,
  queryToken: tokenOnly,
  twoServers: 'one verifier serves one endpoint',
  metadata: `${tokenOnly}; the SDK has a router for the metadata`,
  cors: tokenOnly,
  origin: tokenOnly,
  scope: tokenOnly,
  mcpHeaders: tokenOnly,
  bodies: tokenOnly,
  parserBodies: tokenOnly,
  twoTypes: tokenOnly,
  hiddenBody: tokenOnly,
  client: 'its second half needs scopes per tool',
};

export const sdkAdapters: readonly Adapter[] = [
  {
    name: 'MCP SDK 1.x requireBearerAuth',
    start: startWith(
      (text) => new InvalidTokenError(text),
      (verifier) => requireBearer1({ verifier, resourceMetadataUrl }),
    ),
    except,
  },
  {
    name: 'MCP SDK 2.x requireBearerAuth',
    start: startWith(
      (text) => new OAuthError(OAuthErrorCode.InvalidToken, text),
      (verifier) => requireBearer2({ verifier, resourceMetadataUrl }),
    ),
    except,
  },
];
