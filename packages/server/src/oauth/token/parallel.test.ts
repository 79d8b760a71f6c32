import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { changeMcpServer } from '../../mcp/manage-mcp-servers.ts';
import { sql } from '../../storage/db.ts';
import { testPostgres } from '../../testing/databases.ts';
import { isRevokedToken, readOwnAccessToken } from './own-access-token.ts';
import {
  makeClient,
  makeCode,
  makeServer,
  post,
  redeem,
  refresh,
  revocationsOf,
  startSite,
  type TestCode,
} from './test-site.ts';

// Two servers with pools of their own on one PostgreSQL: what two processes are to each other.
test('two processes share every gate (AS-142)', async (t) => {
  const postgres = await testPostgres(t);
  const one = await startSite(t, { database: postgres.database });
  const two = await startSite(t, { database: await postgres.open(), url: one.E, clock: one.clock });
  const server = await makeServer(one);
  const client = await makeClient(one, { mcpServerId: server.id });
  const places = [one, two].map(({ origin }) => `${origin}/resources/${server.id}`);
  const at = (index: number) => places[index % places.length] ?? '';

  await t.test(
    'fifty parallel redemptions of one code: one success, and its tokens live (AS-95, AS-96)',
    async () => {
      const code = await makeCode(one, { server, client });
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) => redeem(at(index), code, client)),
      );
      const winners = answers.filter(({ status }) => status === 200);
      assert.equal(winners.length, 1);
      assert.deepEqual(
        [
          ...new Set(
            answers
              .filter(({ status }) => status !== 200)
              .map(({ status, body }) => `${status} ${body['error']}`),
          ),
        ],
        ['400 invalid_grant'],
      );
      assert.equal((await refresh(at(1), winners[0]?.body['refresh_token'], client)).status, 200);
      const handles = decodeJwt(String(winners[0]?.body['access_token']))['rvk'];
      const revoked = (await revocationsOf(one, server.id)).map(({ value }) => value);
      assert.equal(
        Array.isArray(handles) && handles.some((handle) => revoked.includes(handle)),
        false,
      );
      const [grants] = await one.ctx.db.rows<{ count: bigint }>(
        sql`select count(*) from grants where user_id = ${code.userId}`,
      );
      assert.equal(grants?.count, 1n);
    },
  );

  await t.test(
    'twenty parallel refreshes of one token: all succeed, with one and the same successor (AS-108, AS-109)',
    async () => {
      const code = await makeCode(one, { server, client });
      const first = (await redeem(at(0), code, client)).body['refresh_token'];
      for (const token of [first]) {
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, index) => refresh(at(index), token, client)),
        );
        assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
        const successors = new Set(answers.map(({ body }) => body['refresh_token']));
        assert.equal(successors.size, 1);
        const [second] = successors;
        // T1 to T2 to T3, then T1 again.
        const third = (await refresh(at(1), second, client)).body['refresh_token'];
        assert.equal((await refresh(at(0), token, client)).body['refresh_token'], third);
        assert.equal((await refresh(at(0), third, client)).status, 200);
      }
      const [tokens] = await one.ctx.db.rows<{ count: bigint }>(
        sql`select count(*) from refresh_tokens t join grants g on g.id = t.grant_id where g.user_id = ${code.userId}`,
      );
      assert.equal(tokens?.count, 4n);
    },
  );

  await t.test(
    'wrong verifiers in parallel are all counted: the budget of ten holds (AS-95)',
    async () => {
      const code = await makeCode(one, { server, client });
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          redeem(at(index), code, client, { code_verifier: 'w'.repeat(43) }),
        ),
      );
      assert.equal(
        answers.every(({ status }) => status === 400),
        true,
      );
      assert.equal((await redeem(at(0), code, client)).body['error'], 'invalid_grant');
    },
  );

  await t.test(
    'a redemption stopped between its look and its gate finds what happened meanwhile (AS-142)',
    async () => {
      const code = await makeCode(one, { server, client });
      // The other process holds the code's row: the redemption has looked and waits at its gate.
      let answer: ReturnType<typeof redeem> | undefined;
      await postgres.database.transaction(async (tx) => {
        await tx.rows(
          sql`select 1 from authorization_codes where consent_id = ${code.consentId} for update`,
        );
        answer = redeem(at(1), code, client);
        await new Promise((resolve) => setTimeout(resolve, 300));
        await tx.rows(
          sql`update authorization_codes set consumed_at = ${one.ctx.now()} where consent_id = ${code.consentId}`,
        );
      });
      assert.equal((await answer)?.body['error'], 'invalid_grant');
    },
  );

  await t.test(
    'a person disabled while a redemption waits ends up without a grant (AS-97, AS-142)',
    async () => {
      const code = await makeCode(one, { server, client });
      let answer: ReturnType<typeof redeem> | undefined;
      await postgres.database.transaction(async (tx) => {
        await tx.rows(sql`update users set enabled = false where id = ${code.userId}`);
        answer = redeem(at(1), code, client);
        await new Promise((resolve) => setTimeout(resolve, 300));
      });
      assert.equal((await answer)?.body['error'], 'invalid_grant');
      const grants = await one.ctx.db.rows(
        sql`select id from grants where user_id = ${code.userId}`,
      );
      assert.deepEqual(grants, []);
    },
  );

  for (const { what, lock } of [
    {
      what: 'consent',
      lock: (code: TestCode) =>
        sql`update consents set revoked_at = ${one.ctx.now()}, revoked_because = 'person' where id = ${code.consentId}`,
    },
    {
      what: 'client',
      lock: () => sql`update clients set enabled = false where id = ${client.id}`,
    },
    {
      what: 'session',
      lock: (code: TestCode) =>
        sql`update sessions set ended_at = ${one.ctx.now()}, ended_because = 'admin' where id = ${code.sessionId}`,
    },
    {
      what: 'server',
      lock: () => sql`update mcp_servers set enabled = false where id = ${server.id}`,
    },
  ]) {
    await t.test(
      `a redemption waits for whoever is just ending its ${what}, and then makes no grant (AS-97, AS-142)`,
      async () => {
        const code = await makeCode(one, { server, client });
        let answer: ReturnType<typeof redeem> | undefined;
        await postgres.database.transaction(async (tx) => {
          await tx.rows(lock(code));
          answer = redeem(at(1), code, client);
          await new Promise((resolve) => setTimeout(resolve, 300));
        });
        assert.equal((await answer)?.body['error'], 'invalid_grant');
        await one.ctx.db.rows(sql`update clients set enabled = true where id = ${client.id}`);
        await one.ctx.db.rows(sql`update mcp_servers set enabled = true where id = ${server.id}`);
        const grants = await one.ctx.db.rows(
          sql`select id from grants where user_id = ${code.userId}`,
        );
        assert.deepEqual(grants, []);
      },
    );
  }

  await t.test(
    'what a server issues while its disabling waits for a lock is dead when that has happened (AS-13, AS-124)',
    async () => {
      const own = await makeServer(one);
      const member = await makeClient(one, { mcpServerId: own.id });
      const code = await makeCode(one, { server: own, client: member });
      const machine = await makeClient(one, {
        mcpServerId: own.id,
        registration: 'admin',
        redirectUris: [],
        grantTypes: ['client_credentials'],
        tokenEndpointAuthMethod: 'client_secret_post',
        scopes: ['todo:read'],
      });
      const issuer = `${one.origin}/resources/${own.id}`;
      assert.equal((await redeem(issuer, code, member)).status, 200);
      let disabling: Promise<unknown> | undefined;
      let late = '';
      await postgres.database.transaction(async (tx) => {
        await tx.rows(sql`select 1 from grants where user_id = ${code.userId} for update`);
        disabling = changeMcpServer(two.ctx, own.id, { enabled: false });
        await new Promise((resolve) => setTimeout(resolve, 300));
        one.clock.ahead += 5000;
        const answer = await post(`${issuer}/oauth/token`, {
          grant_type: 'client_credentials',
          client_id: machine.id,
          client_secret: machine.secret,
        });
        late = String(answer.body['access_token']);
      });
      await disabling;
      await changeMcpServer(two.ctx, own.id, { enabled: true });
      const token = await readOwnAccessToken(one.ctx, late);
      assert.ok(token, 'it was issued');
      assert.equal(await isRevokedToken(one.ctx, token), true);
    },
  );
});
