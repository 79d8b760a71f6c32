import { type Html, html, safeUrl } from './html.ts';
import { type Frame, renderPage } from './layout.ts';
import { document, lines, type Mail } from './mails.ts';
import { type Locale, rich, t } from './messages.ts';
import { button, cleanName, type FormTarget, rows, stepForm } from './parts.ts';

const NAME_MAX = 100;
const HOUR = 60;
const DAY = 24 * HOUR;

export type InvitationMail = {
  locale: Locale;
  organization: string;
  /** Address of whoever invites. */
  inviter?: string | undefined;
  link: string;
  /** How long it can be accepted. */
  minutes: number;
  reference: string;
};

/** The mail with the link of an invitation. */
export function invitationMail(model: InvitationMail): Mail {
  const { locale } = model;
  const organization = cleanName(model.organization, NAME_MAX);
  const title = t(locale, 'mail.invitation.title', { organization });
  const who =
    model.inviter === undefined
      ? t(locale, 'mail.invitation.plain', { organization })
      : t(locale, 'mail.invitation.from', { inviter: cleanName(model.inviter, 254), organization });
  const time = timeOf(locale, model.minutes);
  const ignore = t(locale, 'mail.invitation.ignore');
  const link = safeUrl(model.link);
  const body = html`<p>${who} ${time}</p>
${link !== undefined && html`<p><a class="button" href="${link}">${t(locale, 'mail.invitation.button')}</a></p>`}
<p class="quiet">${ignore}</p>`;
  return {
    subject: t(locale, 'mail.invitation.subject', { organization }),
    text: lines([
      title,
      `${who} ${time}`,
      link,
      ignore,
      t(locale, 'mail.reference', { reference: model.reference }),
    ]),
    html: document(locale, title, body, model.reference),
  };
}

/** In the largest unit that fits, and never more than is true. */
function timeOf(locale: Locale, minutes: number): string {
  if (minutes >= DAY)
    return t(locale, 'mail.invitation.days', { count: Math.floor(minutes / DAY) });
  if (minutes >= HOUR)
    return t(locale, 'mail.invitation.hours', { count: Math.floor(minutes / HOUR) });
  return t(locale, 'mail.invitation.minutes', { count: minutes });
}

export type InvitationModel = {
  form: FormTarget;
  organization: string;
  inviter?: string | undefined;
  email: string;
  /** Somebody else who is signed in in this browser. */
  signedInAs?: string | undefined;
};

/** An invitation: opening it changes nothing, the button accepts (FSA-64). */
export function invitationPage(frame: Frame, model: InvitationModel): Html {
  const { locale } = frame;
  const title = t(locale, 'invitation.title', {
    organization: cleanName(model.organization, NAME_MAX),
  });
  const list = [{ label: t(locale, 'invitation.as'), value: html`<bdi>${model.email}</bdi>` }];
  const main = html`<h1>${title}</h1>
${model.inviter !== undefined && html`<p>${rich(locale, 'invitation.from', { inviter: html`<bdi>${cleanName(model.inviter, 254)}</bdi>` })}</p>`}
<div class="facts">${rows(list)}</div>
${
  model.signedInAs !== undefined &&
  html`<p class="notice">${rich(locale, 'invitation.other', { email: html`<bdi>${model.signedInAs}</bdi>` })}</p>`
}
${stepForm(
  locale,
  'invitation',
  model.form,
  button('primary', t(locale, 'invitation.accept'), { name: 'action', value: 'accept' }),
)}`;
  return renderPage(frame, { title, main, scripts: ['forms.js'] });
}

/** The end of an invitation where no application says where to go on. */
export function joinedPage(frame: Frame, model: { organization: string }): Html {
  const { locale } = frame;
  const title = t(locale, 'joined.title', {
    organization: cleanName(model.organization, NAME_MAX),
  });
  const main = html`<h1>${title}</h1>
<p>${t(locale, 'joined.text')}</p>`;
  return renderPage(frame, { title, main });
}
