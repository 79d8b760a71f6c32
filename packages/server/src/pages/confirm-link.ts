import { type Html, html } from './html.ts';
import { type Frame, renderPage } from './layout.ts';
import { t } from './messages.ts';
import { button, type FormTarget, type Row, rows, stepForm, strangersName } from './parts.ts';
import { continueLine, type Purpose, signInTo } from './purpose.ts';

/** Where the sign-in was asked for, so that a person can tell their own from a stranger's. */
export type Requester = {
  /** "Firefox on Windows", made from the user agent. */
  device: string;
  place?: string | undefined;
};

export type ConfirmLinkModel = {
  form: FormTarget;
  purpose: Purpose;
  email: string;
  requester: Requester;
};

/** A sign-in link opened in the browser that asked: opening consumed nothing, the button does (hosted-pages 3.3). */
export function confirmLinkPage(frame: Frame, model: ConfirmLinkModel): Html {
  const { locale } = frame;
  const title = t(locale, 'link.title', { app: signInTo(model.purpose) });
  const list = [
    { label: t(locale, 'link.as'), value: html`<bdi>${model.email}</bdi>` },
    ...requesterRows(frame, model.requester),
  ];
  const main = html`<h1>${title}</h1>
${continueLine(locale, model.purpose)}
<div class="facts">${rows(list)}</div>
${stepForm(
  locale,
  'confirm-link',
  model.form,
  html`${button('primary', t(locale, 'link.signIn'), { name: 'action', value: 'sign-in' })}
${button('link', t(locale, 'link.notMe'), { name: 'action', value: 'not-me', skipsChecks: true })}`,
)}`;
  return renderPage(frame, { title, main, scripts: ['forms.js'] });
}

export type LinkCodeModel = {
  form: FormTarget;
  /** Six digits to type into the window where the sign-in was started. */
  code: string;
  requester: Requester;
};

/** A sign-in link opened in another browser: it signs nobody in and shows a code for the first one (AS-30). */
export function linkCodePage(frame: Frame, model: LinkCodeModel): Html {
  const { locale } = frame;
  const title = t(locale, 'linkCode.title');
  const spaced = model.code.replace(/^(\d{3})(\d{3})$/, '$1 $2');
  const main = html`<h1>${title}</h1>
<p class="big-code" dir="ltr">${spaced}</p>
<p class="notice">${t(locale, 'linkCode.warning')}</p>
<div class="facts">${rows(requesterRows(frame, model.requester))}</div>
${stepForm(
  locale,
  'link-code',
  model.form,
  button('secondary', t(locale, 'link.notMe'), { name: 'action', value: 'not-me' }),
)}`;
  return renderPage(frame, { title: title.replace(/:$/, ''), main, scripts: ['forms.js'] });
}

function requesterRows({ locale }: Frame, requester: Requester): Row[] {
  const list: Row[] = [
    { label: t(locale, 'link.device'), value: strangersName(requester.device, 80) },
  ];
  if (requester.place !== undefined) {
    list.push({ label: t(locale, 'link.place'), value: strangersName(requester.place, 80) });
  }
  return list;
}
