import {
  type PasswordlessService,
  PasswordlessType,
  TemplateType,
} from '@gatewarden/contract/scalekit/v1/auth/passwordless_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkText, invalidField } from '../http/request-checks.ts';
import { isLoopbackHost } from '../runtime/config.ts';
import { parseEmail } from '../users/email-address.ts';
import type { PasswordlessRequest, PasswordlessTemplate } from './passwordless.store.ts';
import { resendPasswordless, type Sent, sendPasswordless } from './passwordless.ts';
import { LONGEST_REQUEST, SHORTEST_REQUEST } from './passwordless-settings.ts';
import { type Verification, verifyCode, verifyLink } from './verify-passwordless.ts';

/** Given by the server to every mail. */
const RESERVED = new Set(['otp', 'link', 'expire_time', 'expiry_time', 'expiry_time_relative']);

/** Proof of e-mail addresses for applications that have pages of their own. No session comes of it (FSA-31). */
export const passwordlessRpc: Slice<typeof PasswordlessService> = {
  async sendPasswordlessEmail(ctx, request) {
    const { email, state, templateVariables } = request;
    const address = parseEmail(email);
    if (!address) throw invalidField('email', 'is not an e-mail address', 'string.email');
    checkText('', { state: state ?? '' });
    const sent = await sendPasswordless(ctx, {
      address,
      template: templateOf(request.template),
      magiclinkAuthUri: checkedUri(request.magiclinkAuthUri),
      state: state || undefined,
      expiresIn: checkedSeconds(request.expiresIn),
      templateVariables: checkedVariables(templateVariables),
    });
    if (sent.kind === 'no-link-uri')
      throw invalidField('magiclink_auth_uri', 'is required for links', 'required');
    return sentMessage(sent);
  },

  async resendPasswordlessEmail(ctx, { authRequestId }) {
    checkText('', { auth_request_id: authRequestId });
    const sent = await resendPasswordless(ctx, authRequestId);
    switch (sent.kind) {
      case 'unknown':
        throw new ApiError('not_found', 'AUTH_REQUEST_NOT_FOUND', 'auth request not found');
      case 'over':
        throw new ApiError(
          'failed_precondition',
          'AUTH_REQUEST_OVER',
          'the auth request was used or has expired: send a new one',
        );
      case 'tried-out':
        throw triedOut();
      default:
        return sentMessage(sent);
    }
  },

  async verifyPasswordlessEmail(ctx, { authCredential, authRequestId }) {
    checkText('', { auth_request_id: authRequestId ?? '' });
    const id = authRequestId || undefined;
    switch (authCredential.case) {
      case 'code':
        if (id === undefined)
          throw invalidField('auth_request_id', 'is required for codes', 'required');
        return verifiedMessage(await verifyCode(ctx, { id, code: authCredential.value }), 'code');
      case 'linkToken': {
        const verification = await verifyLink(ctx, { linkToken: authCredential.value, id });
        return verifiedMessage(verification, 'link_token');
      }
      default:
        throw invalidField('code', 'a code or a link_token is required', 'required');
    }
  },
};

function sentMessage(sent: Sent) {
  return {
    authRequestId: sent.id,
    expiresAt: BigInt(Math.floor(sent.expiresAt.getTime() / 1000)),
    expiresIn: sent.expiresIn,
    passwordlessType: PasswordlessType[sent.type],
  };
}

function verifiedMessage(verification: Verification, field: 'code' | 'link_token') {
  switch (verification.kind) {
    case 'verified':
      return proofMessage(verification.request);
    case 'tried-out':
      throw triedOut();
    case 'other-browser':
      throw invalidField('auth_request_id', 'is required with this link', 'required');
    case 'wrong':
      throw invalidField(field, 'is not right, or not any more', 'value');
  }
}

function proofMessage({ email, state, template, type }: PasswordlessRequest) {
  return {
    email,
    ...(state !== undefined && { state }),
    ...(template !== undefined && { template: TemplateType[template] }),
    passwordlessType: PasswordlessType[type],
  };
}

function triedOut(): ApiError {
  return new ApiError(
    'resource_exhausted',
    'TOO_MANY_TRIES',
    'too many wrong codes: begin again with a new request',
  );
}

function templateOf(template: TemplateType | undefined): PasswordlessTemplate | undefined {
  switch (template) {
    case TemplateType.SIGNIN:
      return 'SIGNIN';
    case TemplateType.SIGNUP:
      return 'SIGNUP';
    default:
      return undefined;
  }
}

/** Where links lead: encrypted on the way, or to the machine itself. */
function checkedUri(uri: string | undefined): string | undefined {
  if (uri === undefined || uri === '') return undefined;
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  const isSafe =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname));
  if (!url || !isSafe || url.username !== '' || url.password !== '' || url.hash !== '')
    throw invalidField(
      'magiclink_auth_uri',
      'must be an https address, or http on this machine, without user name and fragment',
      'string.uri',
    );
  return uri;
}

/** Zero stands for the default, as for all numbers of the contract. */
function checkedSeconds(seconds: number | undefined): number | undefined {
  if (seconds === undefined || seconds === 0) return undefined;
  if (seconds < SHORTEST_REQUEST || seconds > LONGEST_REQUEST)
    throw invalidField(
      'expires_in',
      `must be from ${SHORTEST_REQUEST} to ${LONGEST_REQUEST} seconds`,
      'range',
    );
  return seconds;
}

function checkedVariables(variables: Readonly<Record<string, string>>) {
  for (const [name, value] of Object.entries(variables)) {
    if (RESERVED.has(name))
      throw invalidField('template_variables', `${name} is reserved`, 'reserved');
    checkText('', { template_variables: [name, value] });
  }
  return variables;
}
