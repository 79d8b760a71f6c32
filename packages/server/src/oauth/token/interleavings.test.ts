import assert from 'node:assert/strict';
import { test } from 'node:test';
import { updateClient } from '../../clients/manage-clients.ts';
import { endGrantsOfUser, revokeConsent } from '../../grants/grants.ts';
import { disablePerson, revokeSession } from '../../login/end-access.ts';
import { changeMcpServer } from '../../mcp/manage-mcp-servers.ts';
import { type Database, sql } from '../../storage/db.ts';
import { openTestDatabase } from '../../testing/databases.ts';
import {
  type Answer,
  cleanUpAtTheEnd,
  makeClient,
  makeCode,
  makeServer,
  post,
  redeem,
  refresh,
  startSite,
} from './test-site.ts';

// A request that is stopped between the statement that looks and the one that acts, as a paused process is; what happens
// meanwhile runs to its end.
const pause: { before: RegExp | undefined; meanwhile: () => Promise<unknown> } = {
  before: undefined,
  meanwhile: async () => undefined,
};
const t = cleanUpAtTheEnd();
const database = await openTestDatabase(t, 'pglite');
const pausing: Database = {
  ...database,
  rows: async (query) => {
    if (pause.before?.test(query.text)) {
      pause.before = undefined;
      await pause.meanwhile();
    }
    return await database.rows(query);
  },
};
const site = await startSite(t, { database: pausing });
const server = await makeServer(site);
const client = await makeClient(site, { mcpServerId: server.id });

const AT_REDEMPTION = /update authorization_codes c set consumed_at/;
const AT_ROTATION = /update refresh_tokens t set salt/;
const AT_GRACE_ANSWER = /set grace_answers/;
const AT_MACHINE_TOKEN = /insert into events[^;]*where exists \(select 1 from clients/;

async function stopped(
  before: RegExp,
  request: () => Promise<Answer>,
  meanwhile: () => Promise<unknown>,
): Promise<Answer> {
  Object.assign(pause, { before, meanwhile });
  const answer = await request();
  assert.equal(pause.before, undefined, 'the request never came to the statement');
  return answer;
}

type Parties = Awaited<ReturnType<typeof makeCode>>;
type Party = {
  what: string;
  end: (made: Parties) => Promise<unknown>;
  back?: () => Promise<unknown>;
};

const ENDINGS: Party[] = [
  {
    what: 'the consent was withdrawn',
    end: ({ consentId }) => revokeConsent(site.ctx, { consentId, because: 'person' }),
  },
  { what: 'the person was disabled', end: ({ userId }) => disablePerson(site.ctx, userId) },
  {
    what: 'everything of the person was ended',
    end: ({ userId }) => endGrantsOfUser(site.ctx, { userId, because: 'operator' }),
  },
  {
    what: 'an administrator ended the session',
    end: ({ sessionId }) => revokeSession(site.ctx, sessionId),
  },
  {
    what: 'the client was disabled and enabled again',
    end: async () => {
      await updateClient(site.ctx, client.id, { enabled: false });
      await updateClient(site.ctx, client.id, { enabled: true });
    },
  },
  {
    what: 'the client was disabled',
    end: () => updateClient(site.ctx, client.id, { enabled: false }),
    back: () => updateClient(site.ctx, client.id, { enabled: true }),
  },
  {
    what: 'the server was disabled',
    end: () => changeMcpServer(site.ctx, server.id, { enabled: false }),
    back: () => changeMcpServer(site.ctx, server.id, { enabled: true }),
  },
];

for (const { what, end, back = async () => undefined } of ENDINGS) {
  test(`a redemption that was stopped before its gate makes no grant when ${what} meanwhile (AS-97, AS-142)`, async () => {
    const code = await makeCode(site, { server, client });
    const answer = await stopped(
      AT_REDEMPTION,
      () => redeem(server.issuer, code, client),
      () => end(code),
    );
    await back();
    assert.deepEqual([answer.status, answer.body['error']], [400, 'invalid_grant']);
    const grants = await database.rows(
      sql`select id from grants where user_id = ${code.userId} and ended_at is null`,
    );
    assert.deepEqual(grants, [], 'a grant that nobody allows any more');
  });

  test(`a refresh that was stopped before its gate gives nothing when ${what} meanwhile (AS-114, AS-142)`, async () => {
    const code = await makeCode(site, { server, client });
    const first = (await redeem(server.issuer, code, client)).body['refresh_token'];
    const answer = await stopped(
      AT_ROTATION,
      () => refresh(server.issuer, first, client),
      () => end(code),
    );
    await back();
    assert.deepEqual([answer.status, answer.body['error']], [400, 'invalid_grant']);
    assert.equal((await refresh(server.issuer, first, client)).body['error'], 'invalid_grant');
  });
}

test('of two rotations the one that was stopped gets the current token and ends nothing (AS-109, AS-142)', async () => {
  const code = await makeCode(site, { server, client });
  const first = (await redeem(server.issuer, code, client)).body['refresh_token'];
  let third: unknown;
  const late = await stopped(
    AT_ROTATION,
    () => refresh(server.issuer, first, client),
    async () => {
      const second = (await refresh(server.issuer, first, client)).body['refresh_token'];
      third = (await refresh(server.issuer, second, client)).body['refresh_token'];
    },
  );
  assert.deepEqual([late.status, late.body['refresh_token']], [200, third]);
  assert.equal((await refresh(server.issuer, third, client)).status, 200);
});

test('an answer in the grace that was stopped hands out the token that is current when it goes on, never one that retired meanwhile (AS-109)', async () => {
  const code = await makeCode(site, { server, client });
  const first = (await redeem(server.issuer, code, client)).body['refresh_token'];
  const second = (await refresh(server.issuer, first, client)).body['refresh_token'];
  let third: unknown;
  const late = await stopped(
    AT_GRACE_ANSWER,
    () => refresh(server.issuer, first, client),
    async () => {
      third = (await refresh(server.issuer, second, client)).body['refresh_token'];
    },
  );
  assert.deepEqual([late.status, late.body['refresh_token']], [200, third]);
  // Whoever stored that answer comes back after the grace, as an honest client does.
  site.clock.ahead += 3_600_000;
  assert.equal((await refresh(server.issuer, late.body['refresh_token'], client)).status, 200);
});

test('an answer in the grace that was stopped gives nothing when the grant ended meanwhile (AS-114, AS-142)', async () => {
  const code = await makeCode(site, { server, client });
  const first = (await redeem(server.issuer, code, client)).body['refresh_token'];
  await refresh(server.issuer, first, client);
  const answer = await stopped(
    AT_GRACE_ANSWER,
    () => refresh(server.issuer, first, client),
    () => revokeConsent(site.ctx, { consentId: code.consentId, because: 'person' }),
  );
  assert.deepEqual([answer.status, answer.body['error']], [400, 'invalid_grant']);
});

test('a machine that was stopped before its gate gets nothing when client or server were switched off meanwhile (AS-13, AS-98, AS-142)', async () => {
  const own = await makeServer(site);
  const machine = await makeClient(site, {
    mcpServerId: own.id,
    registration: 'admin',
    redirectUris: [],
    grantTypes: ['client_credentials'],
    tokenEndpointAuthMethod: 'client_secret_post',
    scopes: ['todo:read'],
  });
  const ask = () =>
    post(`${own.issuer}/oauth/token`, {
      grant_type: 'client_credentials',
      client_id: machine.id,
      client_secret: machine.secret,
    });
  assert.equal((await ask()).status, 200);
  for (const toggle of [
    (enabled: boolean) => updateClient(site.ctx, machine.id, { enabled }),
    (enabled: boolean) => changeMcpServer(site.ctx, own.id, { enabled }),
  ]) {
    const answer = await stopped(AT_MACHINE_TOKEN, ask, () => toggle(false));
    await toggle(true);
    assert.deepEqual([answer.status, answer.body['error']], [401, 'invalid_client']);
    assert.equal((await ask()).status, 200);
  }
});
