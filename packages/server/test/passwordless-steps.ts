import type { JsonObject } from '@bufbuild/protobuf';
import { PasswordlessService } from '@gatewarden/contract/scalekit/v1/auth/passwordless_pb';
import type { Step } from './management-api.ts';

const { method: p } = PasswordlessService;

/** The calls about sign-ins without pages. */
export const passwordlessSteps = {
  send: (input: JsonObject): Step => ({
    method: p.sendPasswordlessEmail,
    input,
    rest: ['POST', '/passwordless/email/send', input],
  }),
  resend: (id: string): Step => ({
    method: p.resendPasswordlessEmail,
    input: { auth_request_id: id },
    rest: ['POST', '/passwordless/email/resend', { auth_request_id: id }],
  }),
  verify: (input: JsonObject): Step => ({
    method: p.verifyPasswordlessEmail,
    input,
    rest: ['POST', '/passwordless/email/verify', input],
  }),
};
