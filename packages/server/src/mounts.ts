import type { FastifyInstance, FastifyRequest } from 'fastify';
import { mountClientManagement } from './clients/client-management.routes.ts';
import { mountLogos } from './clients/logos.routes.ts';
import { mountRegistration } from './clients/registration.routes.ts';
import { mountDevMailbox } from './email/dev-mailbox.routes.ts';
import { mountConfirmLink } from './login/confirm-link.page.ts';
import { mountEmailCode } from './login/email-code.page.ts';
import { mountLoginHub } from './login/hub.page.ts';
import { mountIdentify } from './login/identify.page.ts';
import { mountInvitation } from './login/invitation.page.ts';
import { mountLogout } from './login/logout.routes.ts';
import { mountPickAccount } from './login/pick-account.page.ts';
import { mountSignUp } from './login/sign-up.page.ts';
import { mountAuthorize } from './oauth/authorize/authorize.routes.ts';
import { mountConsent } from './oauth/authorize/consent.page.ts';
import { mountPartnerCallback } from './oauth/authorize/partner-callback.routes.ts';
import { mountJwks } from './oauth/discovery/jwks.routes.ts';
import { mountMetadata } from './oauth/discovery/metadata.routes.ts';
import { mountRevocationFeed } from './oauth/revocations/revocation-feed.routes.ts';
import { mountIntrospection } from './oauth/token/introspection.routes.ts';
import { mountRevocation } from './oauth/token/revocation.routes.ts';
import { mountToken } from './oauth/token/token.routes.ts';
import { mountUserinfo } from './oauth/token/userinfo.routes.ts';
import { mountAssets } from './pages/assets.routes.ts';
import { mountPortal } from './portal/portal.page.ts';
import type { App, Ctx } from './runtime/context.ts';

/** A slice mounts its own routes. */
export type Mount = (
  app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
) => void | Promise<void>;

/** Everything that answers, in no particular order. */
export const mounts: readonly Mount[] = [
  mountAssets,
  mountMetadata,
  mountJwks,
  mountAuthorize,
  mountConsent,
  mountPartnerCallback,
  mountToken,
  mountRevocation,
  mountIntrospection,
  mountUserinfo,
  mountRevocationFeed,
  mountRegistration,
  mountClientManagement,
  mountLogos,
  mountLoginHub,
  mountIdentify,
  mountSignUp,
  mountEmailCode,
  mountConfirmLink,
  mountInvitation,
  mountPickAccount,
  mountLogout,
  mountPortal,
  mountDevMailbox,
];
