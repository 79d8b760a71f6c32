import type { FastifyRequest } from 'fastify';
import { developmentRefusal } from '../email/dev-access.ts';
import type { Ctx } from '../runtime/context.ts';

/** The sign-in code of every test user (FSA-92). */
export const TEST_USER_CODE = '424242';

const TEST_ADDRESS = /^[^@+]+\+sktest[^@]*@/;

/**
 * The same for applications, which have no browser to show: where the server can be reached from other machines, only the
 * printed token would let a static code in, and no application has it.
 */
export function isTestUserOfApplication(ctx: Ctx, emailKey: string): boolean {
  const { mode, exposeToken } = ctx.config;
  return mode === 'dev' && exposeToken === undefined && TEST_ADDRESS.test(emailKey);
}

/**
 * Whether an address is a test user's, whose code is fixed and who gets no mail (AS-152): in development any address with
 * `+sktest`, from this machine or with the printed token. In production only listed addresses may be, and none is listed.
 */
export function isTestUser(ctx: Ctx, request: FastifyRequest, emailKey: string): boolean {
  if (ctx.config.mode !== 'dev' || !TEST_ADDRESS.test(emailKey)) return false;
  return developmentRefusal(ctx, request) === undefined;
}
