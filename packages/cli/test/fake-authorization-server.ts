import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { newKey, type SigningKey } from '@gatewarden/resource-server/testing/fake-issuer';
import { CompactSign } from 'jose';
import type { Cleanup } from './spawn-dev.ts';

/** What this authorization server does wrong. */
export type Wrongs = {
  readonly state?: string;
  readonly iss?: string | undefined;
  readonly error?: string;
  readonly idToken?: Readonly<Record<string, unknown>>;
  readonly accessToken?: Readonly<Record<string, unknown>>;
  readonly strangerSigns?: boolean;
  readonly code?: 'refused';
  readonly retired?: 'renewed';
  readonly revocation?: 'without effect';
};

/** Lets everybody in at once; signs what it is told to. */
export async function startFakeServer(t: Cleanup, wrongs: Wrongs): Promise<string> {
  const [key, stranger] = [await newKey('snk_1'), await newKey('snk_1')];
  const flows = new Map<string, URLSearchParams>();
  const refresh = { latest: '', nonce: '', client: '', revoked: false };
  let count = 0;

  const sign = (claims: Record<string, unknown>, typ: string): Promise<string> =>
    jws(wrongs.strangerSigns ? stranger : key, claims, typ);
  const tokens = async (): Promise<unknown> => {
    const now = Math.floor(Date.now() / 1_000);
    const claims = { iss: origin, sub: 'usr_1', iat: now, exp: now + 300 };
    const { nonce, client } = refresh;
    count += 1;
    refresh.latest = `refresh-${count}`;
    return {
      access_token: await sign(
        { ...claims, aud: [client], client_id: client, ...wrongs.accessToken },
        'at+jwt',
      ),
      id_token: await sign({ ...claims, aud: client, nonce, ...wrongs.idToken }, 'JWT'),
      refresh_token: refresh.latest,
      expires_in: 300,
    };
  };
  const answerToken = async (form: URLSearchParams): Promise<[number, unknown]> => {
    if (form.get('grant_type') === 'authorization_code') {
      const flow = flows.get(form.get('code') ?? '');
      if (!flow || wrongs.code === 'refused') return [400, { error: 'invalid_grant' }];
      refresh.nonce = flow.get('nonce') ?? '';
      refresh.client = flow.get('client_id') ?? '';
      return [200, await tokens()];
    }
    const stale = form.get('refresh_token') !== refresh.latest && wrongs.retired !== 'renewed';
    const ended = refresh.revoked && wrongs.revocation !== 'without effect';
    return stale || ended ? [400, { error: 'invalid_grant' }] : [200, await tokens()];
  };

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const json = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    switch (url.pathname) {
      case '/.well-known/oauth-authorization-server':
        return json(200, {
          issuer: origin,
          authorization_endpoint: `${origin}/authorize`,
          token_endpoint: `${origin}/token`,
          revocation_endpoint: `${origin}/revoke`,
          jwks_uri: `${origin}/keys`,
          authorization_response_iss_parameter_supported: true,
        });
      case '/keys':
        return json(200, { keys: [key.jwk] });
      case '/authorize': {
        const code = `code-${flows.size}`;
        flows.set(code, url.searchParams);
        const back = new URL(url.searchParams.get('redirect_uri') ?? '');
        back.searchParams.set('state', wrongs.state ?? url.searchParams.get('state') ?? '');
        const iss = 'iss' in wrongs ? wrongs.iss : origin;
        if (iss !== undefined) back.searchParams.set('iss', iss);
        if (wrongs.error) back.searchParams.set('error', wrongs.error);
        else back.searchParams.set('code', code);
        return response.writeHead(302, { location: back.href }).end();
      }
      case '/token':
        return json(...(await answerToken(await formOf(request))));
      case '/revoke':
        refresh.revoked = true;
        return response.writeHead(200).end();
      default:
        return response.writeHead(404).end();
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return origin;
}

function jws(by: SigningKey, claims: Record<string, unknown>, typ: string): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'RS256', kid: by.kid, typ })
    .sign(by.privateKey);
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return new URLSearchParams(body);
}
