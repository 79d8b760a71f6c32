import { confirmLinkPage, linkCodePage } from './confirm-link.ts';
import { type ConsentModel, consentPage } from './consent.ts';
import { type EmailCodeError, emailCodePage } from './email-code.ts';
import type { Html } from './html.ts';
import { type IdentifyError, identifyPage } from './identify.ts';
import { invitationPage, joinedPage } from './invitation.ts';
import type { Frame } from './layout.ts';
import { nothingAllowedPage } from './nothing-allowed.ts';
import type { FormTarget } from './parts.ts';
import {
  noOrganizationPage,
  pickAccountPage,
  pickOrganizationPage,
  singleSignOnPage,
} from './pickers.ts';
import type { Purpose } from './purpose.ts';
import type { RedirectTarget } from './redirect-target.ts';
import { errorPages, type Outside } from './sample-errors.ts';
import { signedOutPage, signOutPage } from './sign-out.ts';
import { signUpPage } from './sign-up.ts';

const asIs: Outside = (text) => text;

export const sampleFrame: Frame = {
  locale: 'en',
  reference: 'req_8f3k2m9x4c',
  brand: {
    name: 'Acme',
    termsUrl: 'https://acme.example/terms',
    privacyUrl: 'https://acme.example/privacy',
  },
};

/** Every hosted page in the states worth looking at, by name: for browser tests and pictures. */
export function samplePages(
  frame: Frame = sampleFrame,
  outside: Outside = asIs,
): Record<string, Html> {
  return {
    ...signInPages(frame, outside),
    ...consentPages(frame, outside),
    ...errorPages(frame, outside),
  };
}

const form: FormTarget = {
  action: '/sample',
  hidden: { csrf: 'c2FtcGxlLXRva2Vu', request: 'req_8f3k2m9x4c' },
};

function mcpPurpose(outside: Outside, verified: boolean): Purpose {
  const redirect: RedirectTarget = {
    kind: 'web',
    host: outside('connect.planner.example'),
    domain: 'planner.example',
  };
  return {
    kind: 'mcp',
    server: outside('Acme Calendar'),
    client: { name: outside('Planner'), verified, redirect },
  };
}

function signInPages(frame: Frame, outside: Outside): Record<string, Html> {
  const unverified = mcpPurpose(outside, false);
  const verified = mcpPurpose(outside, true);
  const app: Purpose = { kind: 'app', app: outside('Acme Portal') };
  const email = outside('ana@example.com');
  const code = (error?: EmailCodeError): Html =>
    emailCodePage(frame, {
      form,
      purpose: app,
      email: outside('a•••@example.com'),
      minutes: 10,
      sender: outside('no-reply@acme.example'),
      error,
    });
  const identify = (error: IdentifyError): Html =>
    identifyPage(frame, { form, purpose: app, email: outside('ana@gmial'), error });
  const requester = { device: outside('Firefox on Windows'), place: outside('Lisbon, Portugal') };
  const word = outside('workspace');
  return {
    identify: identifyPage(frame, { form, purpose: app, signUpUrl: '/sign-up' }),
    'identify-mcp': identifyPage(frame, { form, purpose: verified, email, signUpUrl: '/sign-up' }),
    'identify-unverified': identifyPage(frame, {
      form,
      purpose: unverified,
      signUpUrl: '/sign-up',
    }),
    'identify-error': identify({ kind: 'malformed' }),
    'identify-too-many': identify({ kind: 'too-many', minutes: 4 }),
    'identify-methods': identifyPage(frame, {
      form,
      purpose: app,
      email,
      suggestedEmail: outside('ana@gmail.com'),
      confirmIdentity: true,
      methods: [{ value: 'google', label: outside('Continue with Google'), lastUsed: true }],
    }),
    'email-code': code(),
    'email-code-error': code({ kind: 'wrong', triesLeft: 3 }),
    'email-code-budget': code({ kind: 'budget' }),
    'email-code-wait': emailCodePage(frame, {
      form,
      purpose: unverified,
      email,
      minutes: 10,
      sender: outside('no-reply@acme.example'),
      resent: true,
      waitSeconds: 20,
    }),
    'sign-up': signUpPage(frame, {
      form,
      purpose: app,
      email,
      name: outside('Ana'),
      signInUrl: '/sign-in',
    }),
    'sign-up-error': signUpPage(frame, {
      form,
      purpose: app,
      email,
      organization: { word, value: outside('Ana & Co') },
      error: { field: 'email', kind: 'public-domain' },
    }),
    'confirm-link': confirmLinkPage(frame, { form, purpose: verified, email, requester }),
    invitation: invitationPage(frame, {
      form,
      organization: outside('Northwind'),
      inviter: outside('bea@acme.example'),
      email,
      signedInAs: outside('cem@acme.example'),
    }),
    joined: joinedPage(frame, { organization: outside('Northwind') }),
    'link-code': linkCodePage(frame, { form, code: '481220', requester }),
    'pick-account': pickAccountPage(frame, {
      form,
      purpose: verified,
      accounts: [
        { id: outside('usr_1'), name: outside('Ana Ruiz'), email },
        { id: outside('usr_2'), email: outside('support@acme.example') },
      ],
    }),
    'pick-organization': pickOrganizationPage(frame, {
      form,
      purpose: app,
      word,
      email,
      organizations: [
        {
          id: outside('org_1'),
          name: outside('Northwind'),
          role: outside('Admin'),
          lastUsed: true,
        },
        {
          id: outside('org_2'),
          name: outside('Contoso'),
          role: outside('Member'),
          requires: outside('Okta'),
        },
        { id: outside('org_3'), name: outside('Fabrikam'), invited: true },
      ],
    }),
    'no-organization': noOrganizationPage(frame, {
      form,
      word,
      contact: outside('it@acme.example'),
    }),
    'single-sign-on': singleSignOnPage(frame, {
      form,
      purpose: app,
      organization: outside('Northwind'),
      provider: outside('Okta'),
    }),
    'sign-out': signOutPage(frame, { form, app: outside('Acme Portal'), email }),
    'signed-out': signedOutPage(frame, {
      signInUrl: '/sign-in',
      returnTo: { app: outside('Acme Portal'), url: outside('https://portal.acme.example/') },
      otherApps: [outside('Acme Files')],
      hasConnections: true,
      accountUrl: outside('https://auth.acme.example/account'),
    }),
  };
}

/** A consent model with everything in it; pages differ by what they lay over it. */
export function sampleConsent(
  over: Partial<ConsentModel> = {},
  outside: Outside = asIs,
): ConsentModel {
  return {
    form,
    clientName: outside('Planner'),
    trust: { kind: 'self-declared' },
    redirect: { kind: 'web', host: outside('connect.planner.example'), domain: 'planner.example' },
    registration: { kind: 'dynamic' },
    clientDetails: {
      id: outside('mcp_9f2c7a51d0'),
      redirectUri: outside('https://connect.planner.example/oauth/callback'),
      registeredAt: new Date('2026-11-02T09:30:00Z'),
      termsUrl: outside('https://planner.example/terms'),
      privacyUrl: outside('https://planner.example/privacy'),
    },
    server: {
      name: outside('Acme Calendar'),
      host: outside('mcp.acme.example'),
      resource: outside('https://mcp.acme.example/mcp'),
      company: outside('Acme Ltd'),
    },
    account: {
      name: outside('Ana Ruiz'),
      email: outside('ana@example.com'),
      switchUrl: '/accounts',
    },
    scopes: [
      {
        name: outside('calendar:read'),
        class: 'see',
        title: outside('Your calendars and events'),
        tools: [outside('list_events')],
      },
      {
        name: outside('calendar:write'),
        class: 'change',
        title: outside('Create and move events'),
        description: outside('Guests get an email about each change.'),
        optional: true,
        tools: [outside('create_event'), outside('move_event')],
      },
      {
        name: outside('calendar:delete'),
        class: 'delete-or-spend',
        title: outside('Delete events'),
      },
      { name: 'openid', class: 'profile' },
      { name: 'profile', class: 'profile' },
      { name: 'email', class: 'profile' },
      { name: 'offline_access', class: 'offline' },
    ],
    offlineDays: 30,
    accountUrl: outside('https://auth.acme.example/account'),
    ...over,
  };
}

function consentPages(frame: Frame, outside: Outside): Record<string, Html> {
  const page = (over: Partial<ConsentModel>): Html =>
    consentPage(frame, sampleConsent(over, outside));
  const document = (host: string, firstPathSegment?: string): ConsentModel['registration'] => ({
    kind: 'metadata-document',
    host: outside(host),
    firstPathSegment,
  });
  const web = (host: string, domain: string): RedirectTarget => ({
    kind: 'web',
    host: outside(host),
    domain,
  });
  return {
    'consent-operator': page({
      clientName: outside('Acme Desk'),
      trust: { kind: 'operator', company: outside('Acme Ltd') },
      registration: { kind: 'operator' },
      redirect: web('desk.acme.example', 'acme.example'),
      scopes: sampleConsent({}, outside).scopes.slice(0, 2),
    }),
    'consent-known-host': page({
      clientName: outside('Claude'),
      trust: { kind: 'known-host', host: outside('claude.ai') },
      registration: document('claude.ai'),
      redirect: web('claude.ai', 'claude.ai'),
    }),
    'consent-identified-host': page({
      trust: { kind: 'identified-host' },
      registration: document('planner.pages.example', outside('acme')),
      differentHost: true,
      firstSeen: true,
    }),
    'consent-local-app': page({
      clientName: outside('Cursor'),
      trust: { kind: 'local-app' },
      redirect: { kind: 'loopback', port: '33418' },
    }),
    'consent-local-app-scheme': page({
      clientName: outside('Cursor'),
      trust: { kind: 'local-app' },
      redirect: { kind: 'app', scheme: outside('cursor') },
    }),
    'consent-self-declared': page({ firstSeen: true }),
    'consent-look-alike': page({
      clientName: outside('Claude'),
      trust: { kind: 'look-alike', knownHost: outside('claude.ai') },
      redirect: web('claude-ai.login.example', 'login.example'),
    }),
    'consent-tick-missing': page({
      tickMissing: true,
      selectedScopes: [],
      organization: {
        word: outside('workspace'),
        options: organizations(outside),
        selected: 'org_2',
      },
    }),
    'consent-step-up': page({
      stepUp: true,
      serverSeesProfile: true,
      scopes: sampleConsent({}, outside).scopes.map((scope) => ({
        ...scope,
        granted: scope.class !== 'delete-or-spend',
      })),
    }),
    'consent-unregistered': page({ unregisteredResource: { host: outside('mcp.other.example') } }),
    'nothing-allowed': nothingAllowedPage(frame, {
      clientName: outside('Planner'),
      server: outside('Acme Calendar'),
      redirect: web('connect.planner.example', 'planner.example'),
      returnUrl: outside(
        'https://connect.planner.example/oauth/callback?error=access_denied&state=x',
      ),
    }),
  };
}

function organizations(outside: Outside): { id: string; name: string }[] {
  return [
    { id: outside('org_1'), name: outside('Northwind') },
    { id: 'org_2', name: outside('Contoso') },
  ];
}
