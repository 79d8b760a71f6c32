import { html } from '../pages/html.ts';

/** The mails that templates are for, by the contract's names. */
export const USE_CASES = [
  'LOGIN',
  'OTP_LOGIN',
  'MEMBER_INVITE',
  'USER_INVITE',
  'USER_LOGIN',
  'SIGNUP',
  'USER_LOGIN_OTP',
  'USER_LOGIN_LINK',
  'USER_LOGIN_LINK_OTP',
  'USER_SIGNUP_OTP',
  'USER_SIGNUP_LINK',
  'USER_SIGNUP_LINK_OTP',
] as const;
export type UseCase = (typeof USE_CASES)[number];

/** What a template may mention. */
export type Placeholder = {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly category: 'Mail' | 'Person' | 'Application' | 'Organization';
};

const LINK: Placeholder = {
  name: 'link',
  title: 'Link',
  description: 'Address that finishes what the mail is about',
  category: 'Mail',
};
const OTP: Placeholder = {
  name: 'otp',
  title: 'Code',
  description: 'Code to type in',
  category: 'Mail',
};
const COMMON: readonly Placeholder[] = [
  {
    name: 'expiry_time_relative',
    title: 'Time left',
    description: 'How long code and link work, such as "10 minutes"',
    category: 'Mail',
  },
  {
    name: 'user_email',
    title: 'E-mail address',
    description: 'Address that the mail goes to',
    category: 'Person',
  },
  {
    name: 'user_name',
    title: 'Name',
    description: 'Name of the person; empty when it is not known',
    category: 'Person',
  },
  {
    name: 'app_name',
    title: 'Application',
    description: 'What the person signs in to',
    category: 'Application',
  },
  {
    name: 'app_logo_url',
    title: 'Logo',
    description: 'Address of the logo; empty when there is none',
    category: 'Application',
  },
  {
    name: 'app_support_email',
    title: 'Support',
    description: 'Where people find help; empty when it is not set',
    category: 'Application',
  },
  {
    name: 'app_organization_meta_name',
    title: 'Word for organizations',
    description: 'What the application calls its organizations',
    category: 'Application',
  },
  {
    name: 'organization_name',
    title: 'Organization',
    description: 'Name of the organization; empty when the mail is about none',
    category: 'Organization',
  },
];

type About = {
  readonly title: string;
  readonly description: string;
  /** The mail is of no use without one of these. */
  readonly needs: readonly ('otp' | 'link')[];
  /** False for names that stand for several newer ones. */
  readonly display: boolean;
};

const ABOUT: Readonly<Record<UseCase, About>> = {
  LOGIN: {
    title: 'Sign-in by link (older name)',
    description: 'Used for sign-in by link when there is no template of its own',
    needs: ['link'],
    display: false,
  },
  OTP_LOGIN: {
    title: 'Sign-in by code (older name)',
    description: 'Used for sign-in by code when there is no template of its own',
    needs: ['otp'],
    display: false,
  },
  MEMBER_INVITE: {
    title: 'Invitation to the team',
    description: 'Asks somebody to help to run this environment',
    needs: ['link'],
    display: true,
  },
  USER_INVITE: {
    title: 'Invitation to an organization',
    description: 'Asks somebody to join an organization',
    needs: ['link'],
    display: true,
  },
  USER_LOGIN: {
    title: 'Sign-in (older name)',
    description: 'Used for every sign-in when there is no template of its own',
    needs: ['otp', 'link'],
    display: false,
  },
  SIGNUP: {
    title: 'Sign-up (older name)',
    description: 'Used for every sign-up when there is no template of its own',
    needs: ['otp', 'link'],
    display: false,
  },
  USER_LOGIN_OTP: {
    title: 'Sign-in by code',
    description: 'The code that a person signs in with',
    needs: ['otp'],
    display: true,
  },
  USER_LOGIN_LINK: {
    title: 'Sign-in by link',
    description: 'The link that a person signs in with',
    needs: ['link'],
    display: true,
  },
  USER_LOGIN_LINK_OTP: {
    title: 'Sign-in by code or link',
    description: 'A code and a link, of which either signs the person in',
    needs: ['otp', 'link'],
    display: true,
  },
  USER_SIGNUP_OTP: {
    title: 'Sign-up by code',
    description: 'The code that a new person proves the address with',
    needs: ['otp'],
    display: true,
  },
  USER_SIGNUP_LINK: {
    title: 'Sign-up by link',
    description: 'The link that a new person proves the address with',
    needs: ['link'],
    display: true,
  },
  USER_SIGNUP_LINK_OTP: {
    title: 'Sign-up by code or link',
    description: 'A code and a link, of which either proves the address of a new person',
    needs: ['otp', 'link'],
    display: true,
  },
};

export function aboutUseCase(useCase: UseCase): About {
  return ABOUT[useCase];
}

/** What templates of a use case may mention; what applications send along is `custom.` and its name besides. */
export function placeholdersOf(useCase: UseCase): readonly Placeholder[] {
  const { needs } = ABOUT[useCase];
  return [
    ...(needs.includes('otp') ? [OTP] : []),
    ...(needs.includes('link') ? [LINK] : []),
    ...COMMON,
  ];
}

/** Whether templates of a use case may mention a name. */
export function isPlaceholder(useCase: UseCase, name: string): boolean {
  return (
    /^custom\.[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name) ||
    placeholdersOf(useCase).some((placeholder) => placeholder.name === name)
  );
}

/** Use cases whose templates fit a mail to somebody who signs in or up, the closest first. */
export function signInUseCases(by: {
  readonly code: boolean;
  readonly link: boolean;
  readonly signUp: boolean;
}): readonly UseCase[] {
  const { code, link, signUp } = by;
  if (code && link)
    return signUp ? ['USER_SIGNUP_LINK_OTP', 'SIGNUP'] : ['USER_LOGIN_LINK_OTP', 'USER_LOGIN'];
  if (code) return signUp ? ['USER_SIGNUP_OTP'] : ['USER_LOGIN_OTP', 'OTP_LOGIN'];
  return signUp ? ['USER_SIGNUP_LINK'] : ['USER_LOGIN_LINK', 'LOGIN'];
}

type Texts = { readonly subject: string; readonly html: string; readonly plain: string };

/** A template to begin with: what is sent without one says about the same. */
export function startingTemplate(useCase: UseCase): Texts {
  const { needs } = ABOUT[useCase];
  const invitation = useCase === 'MEMBER_INVITE' || useCase === 'USER_INVITE';
  const title = invitation
    ? 'Join {{if organization_name}}{{organization_name}}{{else}}{{app_name}}{{end}}'
    : useCase.includes('SIGNUP')
      ? 'Confirm your address for {{app_name}}'
      : 'Sign in to {{app_name}}';
  const hello = '{{if user_name}}Hello {{user_name}},{{else}}Hello,{{end}}';
  const code = needs.includes('otp');
  const link = needs.includes('link');
  const ends =
    'This works for {{expiry_time_relative}}. If you did not ask for it, ignore this mail.';
  const body = html`<!doctype html>
<html><body>
<h1>${title}</h1>
<p>${hello}</p>
${code && html`{{if otp}}<p>Your code: <strong>{{otp}}</strong></p>{{end}}`}
${link && html`{{if link}}<p><a href="{{link}}">Continue</a></p>{{end}}`}
<p>${ends}</p>
</body></html>
`;
  const plain = [
    hello,
    code ? '{{if otp}}Your code: {{otp}}{{end}}' : '',
    link ? '{{if link}}Continue: {{link}}{{end}}' : '',
    ends,
  ];
  return {
    subject: title,
    html: body.toString(),
    plain: `${plain.filter(Boolean).join('\n\n')}\n`,
  };
}
