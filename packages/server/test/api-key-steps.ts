import type { JsonObject } from '@bufbuild/protobuf';
import { ApiTokenService } from '@gatewarden/contract/scalekit/v1/tokens/tokens_pb';
import type { Db } from '../src/storage/db.ts';
import { sql, startTestGatewarden, type TestGatewarden, testPostgres } from '../src/testing.ts';
import { type Api, member, ok, type Step } from './management-api.ts';

const { method: m } = ApiTokenService;
/** The calls about API keys. */
export const keys = {
  create: (token: JsonObject): Step => ({
    method: m.createToken,
    input: { token },
    rest: ['POST', '/tokens', token],
  }),
  validate: (token: string): Step => ({
    method: m.validateToken,
    input: { token },
    rest: ['POST', '/tokens:validate', { token }],
  }),
  invalidate: (token: string): Step => ({
    method: m.invalidateToken,
    input: { token },
    rest: ['POST', '/tokens:invalidate', { token }],
  }),
  list: (params: Record<string, string>): Step => ({
    method: m.listTokens,
    input: params,
    rest: ['GET', `/tokens?${new URLSearchParams(params)}`],
  }),
  update: (token: string, change: JsonObject): Step => ({
    method: m.updateToken,
    input: { token, ...change },
    rest: ['POST', '/tokens:update', { token, ...change }],
  }),
};

export const ACME = 'org_123456789012345';
export const GLOBEX = 'org_223456789012345';
export const ANA = 'usr_123456789012345678';
export const BOB = 'usr_223456789012345678';
const OURS = /\b(api_keys|organizations)\b/;

type Event = { readonly data: JsonObject; readonly user_id: string | null };

/** A server on PostgreSQL with two organizations and two people: Ana is an administrator of Acme. */
export type KeySite = {
  readonly gatewarden: TestGatewarden;
  readonly db: Db;
  join(organizationId: string, userId: string, role?: string): Promise<void>;
  leave(organizationId: string, userId: string): Promise<void>;
  told(type: string): Promise<Event[]>;
  /** Statements about keys that one call takes; what runs in the background does not count. */
  cost(api: Api, step: Step): Promise<number>;
};

// Only PostgreSQL has a second connection, so only there calls really meet.
export async function keySite(t: Parameters<typeof testPostgres>[0]): Promise<KeySite> {
  const { database: db } = await testPostgres(t);
  let statements = 0;
  const counting = <D extends Db>(inner: D): D => ({
    ...inner,
    rows: (query) => {
      if (OURS.test(query.text)) statements += 1;
      return inner.rows(query);
    },
    transaction: (work) => inner.transaction((tx) => work(counting(tx))),
  });
  const gatewarden = await startTestGatewarden(t, { database: counting(db) });
  const { environmentId } = gatewarden.context();
  for (const [id, external] of [
    [ACME, 'acme-1'],
    [GLOBEX, null],
  ])
    await db.rows(sql`
      insert into organizations (environment_id, id, external_id, display_name, created_at, updated_at)
      values (${environmentId}, ${id}, ${external}, 'Customer', now(), now())`);
  for (const [id, email] of [
    [ANA, 'ana@example.com'],
    [BOB, 'bob@example.com'],
  ])
    await db.rows(sql`
      insert into users (environment_id, id, email, email_key, external_id, revocation_secret, created_at, updated_at)
      values (${environmentId}, ${id}, ${email}, ${email}, ${`x-${id}`}, '\\x00', now(), now())`);
  const site: KeySite = {
    gatewarden,
    db,
    async join(organizationId, userId, role) {
      await db.rows(sql`
        insert into memberships (environment_id, organization_id, user_id, status, provisioning_method, created_at, updated_at)
        values (${environmentId}, ${organizationId}, ${userId}, 'ACTIVE', 'api', now(), now())`);
      await db.rows(sql`
        insert into membership_roles (environment_id, organization_id, user_id, role_id)
        select environment_id, ${organizationId}, ${userId}, id from roles where environment_id = ${environmentId} and name = ${role}`);
    },
    async leave(organizationId, userId) {
      await db.rows(
        sql`delete from memberships where environment_id = ${environmentId} and organization_id = ${organizationId} and user_id = ${userId}`,
      );
    },
    async told(type) {
      return await db.rows(sql`select data, user_id from events where type = ${type} order by id`);
    },
    async cost(api, step) {
      statements = 0;
      await api(step);
      return statements;
    },
  };
  await site.join(ACME, ANA, 'admin');
  return site;
}

/** A key of Acme, unless another organization is named. */
export async function newKey(
  api: Api,
  token: JsonObject = {},
): Promise<{ readonly key: string; readonly id: string; readonly info: JsonObject }> {
  const body = ok(await api(keys.create({ organization_id: ACME, ...token })));
  return {
    key: String(body['token']),
    id: String(body['token_id']),
    info: member(body, 'token_info'),
  };
}
