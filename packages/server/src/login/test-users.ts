import type { FastifyRequest } from 'fastify';
import { developmentRefusal } from '../email/dev-access.ts';
import { environmentOf } from '../environments/environments.ts';
import { mayHaveTestUsers, TEST_ADDRESS } from '../environments/test-user-settings.ts';
import type { Ctx } from '../runtime/context.ts';

/**
 * The code of a test user whom an application asks about, which has no browser to show; undefined for everybody else. Where a
 * server for development can be reached from other machines, only the printed token would let a static code in, and no
 * application has it.
 */
export async function testUserCodeOfApplication(
  ctx: Ctx,
  emailKey: string,
): Promise<string | undefined> {
  return await codeOf(ctx, emailKey, () => ctx.config.exposeToken === undefined);
}

/**
 * The code of a test user, who gets no mail (AS-152, FSA-92); undefined for everybody else. In development any address with
 * `+sktest` is one, from this machine or with the printed token; in production only addresses that a permitted environment lists.
 */
export async function testUserCode(
  ctx: Ctx,
  request: FastifyRequest,
  emailKey: string,
): Promise<string | undefined> {
  return await codeOf(ctx, emailKey, () => developmentRefusal(ctx, request) === undefined);
}

async function codeOf(
  ctx: Ctx,
  emailKey: string,
  mayDevelop: () => boolean,
): Promise<string | undefined> {
  if (!TEST_ADDRESS.test(emailKey)) return undefined;
  const { enabled, code, emails } = (await environmentOf(ctx)).settings.testUsers;
  if (ctx.config.mode === 'dev') return mayDevelop() ? code : undefined;
  return enabled && mayHaveTestUsers(ctx) && emails.includes(emailKey) ? code : undefined;
}
