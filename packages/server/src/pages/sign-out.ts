import { type Html, html, safeUrl } from './html.ts';
import { type Frame, renderPage } from './layout.ts';
import { rich, t } from './messages.ts';
import { button, type FormTarget, outsideLink, stepForm } from './parts.ts';

export type SignOutModel = {
  form: FormTarget;
  app: string;
  email?: string | undefined;
};

/** Asks before signing out, so that a link cannot do it (hosted-pages 3.7). */
export function signOutPage(frame: Frame, model: SignOutModel): Html {
  const { locale } = frame;
  const title = t(locale, 'signOut.title', { app: model.app });
  const main = html`<h1>${title}</h1>
${
  model.email !== undefined &&
  html`<p>${rich(locale, 'signOut.as', { email: html`<bdi>${model.email}</bdi>` })}</p>`
}
${stepForm(
  locale,
  'sign-out',
  model.form,
  html`<div class="pair">${button('primary', t(locale, 'signOut.signOut'), { name: 'action', value: 'sign-out' })}
${button('secondary', t(locale, 'signOut.stay'), { name: 'action', value: 'stay' })}</div>`,
)}`;
  return renderPage(frame, { title, main, scripts: ['forms.js'] });
}

export type SignedOutModel = {
  /** Path to sign in again. */
  signInUrl?: string | undefined;
  /** A registered post-logout address of the application. */
  returnTo?: { app: string; url: string } | undefined;
  /** Other applications with sessions of their own. */
  otherApps?: readonly string[] | undefined;
  /** Where connected assistants are managed. */
  accountUrl?: string | undefined;
  /** The person has MCP connections, which signing out does not end. */
  hasConnections?: boolean | undefined;
};

/** The end of a sign-out. */
export function signedOutPage(frame: Frame, model: SignedOutModel): Html {
  const { locale } = frame;
  const title = t(locale, 'signedOut.title');
  const others = model.otherApps ?? [];
  const list = new Intl.ListFormat(locale, { type: 'disjunction' }).format([...others]);
  const main = html`<h1>${title}</h1>
${others.length > 0 && html`<p>${t(locale, 'signedOut.others', { apps: list })}</p>`}
${model.hasConnections === true && html`<p class="help">${connections(frame, model.accountUrl)}</p>`}
<div class="stack">${
    model.signInUrl !== undefined &&
    html`<a class="primary" href="${model.signInUrl}">${t(locale, 'signedOut.again')}</a>`
  }
${
  model.returnTo !== undefined &&
  outsideLink(
    model.returnTo.url,
    t(locale, 'signedOut.return', { app: model.returnTo.app }),
    'secondary',
  )
}</div>`;
  return renderPage(frame, { title: title.replace(/\.$/, ''), main });
}

function connections({ locale }: Frame, accountUrl: string | undefined): Html {
  const url = safeUrl(accountUrl);
  if (url === undefined) return html`${t(locale, 'signedOut.connected')}`;
  const link = html`<a href="${url}">${url.replace(/^https?:\/\//, '')}</a>`;
  return rich(locale, 'signedOut.connectedAt', { link });
}
