import { type AuthService, AuthState, Intent } from '@gatewarden/contract/scalekit/v1/auth/auth_pb';
import {
  ConnectionType,
  PasswordlessType,
} from '@gatewarden/contract/scalekit/v1/connections/connections_pb';
import { environmentOf } from '../environments/environments.ts';
import type { Slice } from '../http/calls.ts';
import { invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { parseEmail } from '../users/email-address.ts';
import { findUser } from '../users/users.ts';
import { type AuthMethod, homeConnection, methodsOf } from './auth-methods.ts';
import { answering, changeByPage, loginOfPage, type PageLogin } from './auth-page.ts';
import { currentStep } from './current-step.ts';
import type { Step } from './next-step.ts';

/** What a login page of the operator's own shows: where the browser's login stands, and how one may go on in it. */
export const authLoginRpc: Slice<typeof AuthService> = {
  async getAuthState(ctx, _request, call) {
    const found = await loginOfPage(ctx, call);
    const { step, code } = await currentStep(ctx, found.login, found.sessions);
    const user = await personOf(ctx, found, step, code?.email);
    return {
      authState: STATES[step.kind],
      loginHint: found.login.details.loginHint ?? '',
      ...(user && { user }),
    };
  },

  async listAuthMethods(ctx, { intent }, call) {
    if (!INTENTS.has(intent))
      throw invalidField('intent', 'must be sign_in or sign_up, or absent', 'enum');
    const { login } = await loginOfPage(ctx, call);
    const methods = await methodsOf(ctx, login, intent === 'sign_up');
    return { authMethods: methods.map(methodMessage) };
  },

  async discoveryAuthMethod(ctx, { discoveryRequest }, call) {
    return await answering(ctx, async () => {
      const { login } = await changeByPage(ctx, call);
      const address = parseEmail(discoveryRequest?.email ?? '');
      if (!address)
        throw invalidField('discovery_request.email', 'is not an e-mail address', 'string.email');
      const signUp = discoveryRequest?.intent === Intent.sign_up;
      const home = await homeConnection(ctx, login, address);
      const [method] = home ? [home] : await methodsOf(ctx, login, signUp);
      return method ? { authMethod: methodMessage(method) } : {};
    });
  },

  async getAuthFeatures(ctx) {
    const { settings } = await environmentOf(ctx);
    return {
      features: {
        sign_up: settings.signUpAllowed,
        organization_sign_up: settings.signUpAllowed,
        multiple_memberships: settings.multipleMemberships,
        passwordless: true,
        passkeys: false,
      },
    };
  },

  async getAuthCustomizations(ctx) {
    const { displayName, settings } = await environmentOf(ctx);
    const { operatorName, termsUrl, privacyUrl, supportContact } = settings;
    return {
      customizationSettings: {
        display_name: operatorName ?? displayName,
        ...(termsUrl !== undefined && { terms_url: termsUrl }),
        ...(privacyUrl !== undefined && { privacy_url: privacyUrl }),
        ...(supportContact !== undefined && { support_contact: supportContact }),
      },
      settings: { customBranding: false },
    };
  },
};

const INTENTS: ReadonlySet<string> = new Set(['', 'sign_in', 'sign_up']);

const STATES: Readonly<Record<Step['kind'], AuthState>> = {
  identify: AuthState.AUTHENTICATION_IN_PROGRESS,
  'sign-up': AuthState.AUTHENTICATION_IN_PROGRESS,
  'pick-account': AuthState.AUTHENTICATION_IN_PROGRESS,
  'own-sign-in': AuthState.AUTHENTICATION_IN_PROGRESS,
  // Every mail has both.
  'email-code': AuthState.LINK_SENT_OTP_VERIFICATION_PENDING,
  done: AuthState.AUTHENTICATION_COMPLETED,
};

function methodMessage({ type, provider, connectionId, initiationUri }: AuthMethod) {
  return {
    connectionType: ConnectionType[type],
    provider,
    ...(connectionId !== undefined && { connectionId }),
    ...(initiationUri !== undefined && { authInitiationUri: initiationUri }),
    ...(type === 'PASSWORDLESS' && {
      passwordlessType: PasswordlessType.LINK_OTP,
      codeChallengeLength: 6,
    }),
    // Whatever the contract's defaults say, people do not sign in with passkeys here.
    enableWebauthnAutoRegistration: false,
    showPasskeyButton: false,
    enableWebauthnConditionalLogin: false,
  };
}

/** Who signed in as this login wants it; before that only the address that was typed here, whoever's it is (FSA-22). */
async function personOf(ctx: Ctx, { sessions }: PageLogin, step: Step, typed = '') {
  if (step.kind === 'email-code') return { email: typed };
  if (step.kind !== 'done' || !sessions.current) return undefined;
  const { environmentId } = ctx;
  const user = await findUser(ctx.db, { environmentId, id: sessions.current.userId });
  return user && { email: user.email, firstName: user.givenName, lastName: user.familyName };
}
