import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  type Engine,
  engines,
  pkce,
  register,
  testPostgres,
  token,
} from '@gatewarden/server/testing';
import { freePort, type Spawned, type SpawnOptions, spawnDev } from './spawn-dev.ts';

const REDIRECT = 'http://127.0.0.1:7777/cb';
const ROUNDS = 3;

/** What clients were told. */
type Told = {
  clients: Set<string>;
  codes: Map<string, { verifier: string; client: string }>;
  refreshToken: string;
  refreshes: number;
};

async function optionsFor(
  t: { after(work: () => Promise<void>): void },
  engine: Engine,
): Promise<SpawnOptions> {
  const cwd = await mkdtemp(join(tmpdir(), 'gatewarden-crash-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  // The same port after each crash: the port is a part of the issuer that grants belong to.
  const flags = [
    '--demo',
    '--port',
    String(await freePort()),
    '--demo-port',
    String(await freePort()),
  ];
  if (engine === 'pglite') return { cwd, flags };
  return {
    cwd,
    flags,
    env: {
      DATABASE_URL: (await testPostgres(t)).url,
      GATEWARDEN_SECRET_KEY: randomBytes(32).toString('base64'),
    },
  };
}

const issuerOf = ({ ready }: Spawned): string =>
  `${ready.environmentUrl}/resources/${ready.demo?.resourceId ?? ''}`;

async function grantFor(gatewarden: Spawned): Promise<{ client: string; refreshToken: string }> {
  const { body } = await register(
    gatewarden.ready.environmentUrl,
    gatewarden.ready.demo?.resourceId ?? '',
    {
      client_name: 'Crash',
      redirect_uris: [REDIRECT],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
    },
  );
  const client = String(body['client_id']);
  const { verifier, challenge } = pkce();
  const landing = await authorizeWith(
    cookieBrowser(gatewarden.ready.environmentUrl),
    authorizeUrl(issuerOf(gatewarden), {
      client_id: client,
      redirect_uri: REDIRECT,
      code_challenge: challenge,
    }),
    'crash+sktest@example.com',
  );
  const answer = await token(issuerOf(gatewarden), {
    grant_type: 'authorization_code',
    client_id: client,
    code: landing.params.get('code') ?? '',
    redirect_uri: REDIRECT,
    code_verifier: verifier,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return { client, refreshToken: String(answer.body['refresh_token']) };
}

/** Registers and refreshes as fast as it can until the connection breaks, remembering every answer that arrived. */
async function traffic(gatewarden: Spawned, client: string, told: Told): Promise<void> {
  const { environmentUrl, demo } = gatewarden.ready;
  const registering = async (worker: number): Promise<void> => {
    for (let index = 0; ; index += 1) {
      const { status, body } = await register(environmentUrl, demo?.resourceId ?? '', {
        client_name: `Crash ${worker} ${index} ${randomBytes(4).toString('hex')}`,
        redirect_uris: [REDIRECT],
        token_endpoint_auth_method: 'none',
      });
      if (status === 201) told.clients.add(String(body['client_id']));
    }
  };
  const refreshing = async (): Promise<void> => {
    for (;;) {
      const answer = await token(issuerOf(gatewarden), {
        grant_type: 'refresh_token',
        client_id: client,
        refresh_token: told.refreshToken,
      });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      told.refreshToken = String(answer.body['refresh_token']);
      told.refreshes += 1;
    }
  };
  await Promise.all(
    [registering(1), registering(2), refreshing()].map((work) =>
      work.catch((error: unknown) => {
        if (!(error instanceof TypeError)) throw error;
      }),
    ),
  );
}

for (const engine of engines) {
  test(`kill -9 in the middle of traffic loses nothing that a client was told (AS-142, ${engine})`, async (t) => {
    const options = await optionsFor(t, engine);
    const told: Told = { clients: new Set(), codes: new Map(), refreshToken: '', refreshes: 0 };
    let client = '';
    for (let round = 0; round < ROUNDS; round += 1) {
      const gatewarden = await spawnDev(t, options);
      if (round === 0) {
        const grant = await grantFor(gatewarden);
        client = grant.client;
        told.refreshToken = grant.refreshToken;
      } else await assertRemembered(gatewarden, client, told);
      const busy = traffic(gatewarden, client, told);
      await new Promise((done) => setTimeout(done, 400 + Math.random() * 400));
      gatewarden.child.kill('SIGKILL');
      await Promise.all([busy, gatewarden.ended]);
    }
    const last = await spawnDev(t, options);
    await assertRemembered(last, client, told);
    last.child.kill('SIGTERM');
    assert.equal(await last.ended, 0);
    t.diagnostic(
      `${told.clients.size} registrations and ${told.refreshes} refreshes were answered over ${ROUNDS} crashes`,
    );
  });
}

/** Every client id that was handed out still leads to a sign-in page, and the last refresh token that arrived still works. */
async function assertRemembered(gatewarden: Spawned, client: string, told: Told): Promise<void> {
  assert.ok(told.clients.size > 0 && told.refreshes > 0, 'there was no traffic to lose');
  for (const id of told.clients) {
    const response = await fetch(
      authorizeUrl(issuerOf(gatewarden), {
        client_id: id,
        redirect_uri: REDIRECT,
        code_challenge: pkce().challenge,
      }),
      { redirect: 'manual' },
    );
    assert.equal(response.status, 303, `client ${id} is lost`);
  }
  const answer = await token(issuerOf(gatewarden), {
    grant_type: 'refresh_token',
    client_id: client,
    refresh_token: told.refreshToken,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  told.refreshToken = String(answer.body['refresh_token']);
}
