// Fills a database through the server's own functions, while no other process has it open: limits out of the way, one MCP
// server, its clients, people, and codes as the consent page would have issued them.
import { createHash, randomBytes } from 'node:crypto';
import { createClient } from '../packages/server/src/clients/manage-clients.ts';
import { updateEnvironmentSettings } from '../packages/server/src/environments/environments.store.ts';
import { startGatewarden } from '../packages/server/src/gatewarden.ts';
import { insertAuthorizationCode } from '../packages/server/src/grants/authorization-codes.store.ts';
import { saveConsent } from '../packages/server/src/grants/grants.ts';
import { ensureMcpServer } from '../packages/server/src/mcp/ensure-mcp-server.ts';
import { issuerOf, type McpServer } from '../packages/server/src/mcp/mcp-servers.ts';
import type { Ctx } from '../packages/server/src/runtime/context.ts';
import { sha256 } from '../packages/server/src/runtime/hash.ts';
import { newId } from '../packages/server/src/runtime/ids.ts';
import { developmentKeys } from '../packages/server/src/runtime/operator-key.ts';
import { systemRandom } from '../packages/server/src/runtime/outside.ts';
import { sql } from '../packages/server/src/storage/db.ts';
import { register } from '../packages/server/src/testing/oauth-client.ts';
import type { Seed, Seeded } from './seed.ts';
import { SAME } from './target.ts';

/** Enough that nobody has thousands of connections of one client, which would be measured instead. */
const PEOPLE = 200;
const CODE_LIFETIME_MS = 3_600_000;
/** Further than any measurement gets. */
const NO_LIMIT = 1_000_000_000;
const AT_ONCE = 10;

type Person = { readonly id: string; readonly sessionId: string; readonly consentId: string };

async function seed(wanted: Seed): Promise<Seeded> {
  const gatewarden = await startGatewarden({
    mode: 'dev',
    url: wanted.url,
    host: '127.0.0.1',
    port: Number(new URL(wanted.url).port),
    storage: wanted.storage,
    secretKeys: await developmentKeys(wanted.folder, systemRandom),
    client: undefined,
    mail: undefined,
    trustedProxies: [],
    tls: undefined,
    metricsToken: undefined,
    allowLoopbackClients: false,
    exposeToken: undefined,
    logLevel: 'warn',
  });
  try {
    const ctx = gatewarden.context();
    await liftLimits(ctx);
    const server = await ensureMcpServer(ctx, {
      name: 'To-do list',
      serverUrl: SAME.resource,
      scopes: SAME.scopes.map((name) => ({ name })),
    });
    const machine = await createClient(ctx, {
      kind: 'mcp',
      mcpServerId: server.id,
      name: 'Machine',
      scopes: [...SAME.scopes],
    });
    if (machine.kind !== 'created' || !machine.secret)
      throw new Error(`no machine client: ${JSON.stringify(machine)}`);
    const registered = await register(wanted.url, server.id, {
      client_name: 'Bench',
      redirect_uris: [SAME.redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    });
    const clientId = String(registered.body['client_id']);
    return {
      issuerPath: new URL(issuerOf(ctx, server)).pathname,
      material: {
        machine: { id: machine.client.id, secret: machine.secret.plain },
        clientId,
        codes: await makeCodes(ctx, { server, clientId, count: wanted.codes }),
      },
    };
  } finally {
    await gatewarden.close();
  }
}

async function liftLimits(ctx: Ctx): Promise<void> {
  await updateEnvironmentSettings(ctx.db, ctx.environmentId, {
    limits: { registrationPerHourPerServer: NO_LIMIT, registrationPerHourPerNetwork: NO_LIMIT },
  });
}

async function makeCodes(
  ctx: Ctx,
  by: { server: McpServer; clientId: string; count: number },
): Promise<string[]> {
  const people: Person[] = [];
  for (let n = 0; n < Math.min(PEOPLE, by.count); n += 1) people.push(await makePerson(ctx, by, n));
  const codes: string[] = [];
  const makeSome = async (): Promise<void> => {
    while (codes.length < by.count) {
      const person = people[codes.length % people.length];
      if (!person) return;
      const code = randomBytes(32).toString('base64url');
      codes.push(code);
      await insertCode(ctx, by, person, code);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, makeSome));
  return codes;
}

async function insertCode(
  ctx: Ctx,
  { server, clientId }: { server: McpServer; clientId: string },
  person: Person,
  code: string,
): Promise<void> {
  const now = ctx.now();
  await insertAuthorizationCode(ctx.db, {
    environmentId: ctx.environmentId,
    codeHash: sha256(code),
    flowId: newId(ctx, 'flw'),
    loginRequestId: 'none',
    issuer: issuerOf(ctx, server),
    clientId,
    redirectUri: SAME.redirectUri,
    redirectUriGiven: true,
    codeChallenge: createHash('sha256').update(SAME.verifier).digest('base64url'),
    userId: person.id,
    sessionId: person.sessionId,
    browserHash: ctx.random(32),
    consentId: person.consentId,
    mcpServerId: server.id,
    scopes: SAME.scopes,
    authenticatedAt: now,
    createdAt: now,
    expiresAt: new Date(now.getTime() + CODE_LIFETIME_MS),
  });
}

async function makePerson(
  ctx: Ctx,
  { server, clientId }: { server: McpServer; clientId: string },
  n: number,
): Promise<Person> {
  const now = ctx.now();
  const end = new Date(now.getTime() + CODE_LIFETIME_MS);
  const id = newId(ctx, 'usr');
  const sessionId = newId(ctx, 'ses');
  const email = `person-${n}@example.com`;
  await ctx.db.rows(sql`
    insert into users (environment_id, id, email, email_key, email_verified_at, name, revocation_secret, created_at, updated_at)
    values (${ctx.environmentId}, ${id}, ${email}, ${email}, ${now}, 'Ada Lovelace', ${ctx.random(32)}, ${now}, ${now})`);
  await ctx.db.rows(sql`
    insert into sessions (environment_id, id, token_hash, browser_hash, user_id, method, authenticated_at, created_at, last_active_at, idle_expires_at, absolute_expires_at)
    values (${ctx.environmentId}, ${sessionId}, ${ctx.random(32)}, ${ctx.random(32)}, ${id}, 'email-code', ${now}, ${now}, ${now}, ${end}, ${end})`);
  const consentId = await saveConsent(ctx, {
    userId: id,
    clientId,
    mcpServerId: server.id,
    redirectUri: SAME.redirectUri,
    scopes: SAME.scopes,
    clientDigest: ctx.random(32),
    remembered: false,
  });
  return { id, sessionId, consentId };
}

process.on('message', async (wanted: Seed) => {
  try {
    process.send?.({ seeded: await seed(wanted) });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.stack : String(error) });
  }
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
