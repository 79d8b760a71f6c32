import type { FastifyRequest } from 'fastify';
import type { Ctx } from '../runtime/context.ts';
import type { EmailAddress } from '../users/email-address.ts';
import { expired } from './login-requests.ts';
import { requestCode } from './sign-in-codes.ts';
import { testUserCode } from './test-users.ts';
import { frameOfLogin, type Visit } from './visit.ts';

/**
 * Asks for a code, whatever page the address was typed on. What follows is the same for every address (FSA-22).
 *
 * @throws {PageError} expired: the request ended or was decided meanwhile
 */
export async function askForCode(
  ctx: Ctx,
  request: FastifyRequest,
  { login }: Pick<Visit, 'login'>,
  wanted: { address: EmailAddress; displayName: string; resend: boolean },
): Promise<void> {
  const { locale } = await frameOfLogin(ctx, request, login);
  const staticCode = await testUserCode(ctx, request, wanted.address.key);
  if (!(await requestCode(ctx, login, { ...wanted, locale, staticCode }))) {
    throw expired(login);
  }
}
