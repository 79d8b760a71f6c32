import { type Html, html } from './html.ts';
import { type Frame, renderPage } from './layout.ts';
import { rich, t } from './messages.ts';
import {
  button,
  errorSummary,
  type FormTarget,
  stepForm,
  strangersName,
  textField,
} from './parts.ts';
import { type Purpose, purposeLine, signInTo } from './purpose.ts';

export type IdentifyModel = {
  form: FormTarget;
  purpose: Purpose;
  /** What was typed, or `login_hint`. */
  email?: string | undefined;
  error?: IdentifyError | undefined;
  /** A domain the typed one resembles ("gmail.com"); offered as a button that posts `email` with it. */
  suggestedEmail?: string | undefined;
  /** Page to create an account; left out when sign-up is closed. */
  signUpUrl?: string | undefined;
  /** Other ways to sign in, posted as `name=method`. */
  methods?: readonly { value: string; label: string; lastUsed?: boolean | undefined }[] | undefined;
  /** `prompt=login` or `max_age`: the person is known and only proves it again. */
  confirmIdentity?: boolean | undefined;
};

export type IdentifyError =
  | { kind: 'empty' }
  | { kind: 'malformed' }
  | { kind: 'too-many'; minutes: number };

/** The first step of a sign-in: the email address (hosted-pages 3.1). */
export function identifyPage(frame: Frame, model: IdentifyModel): Html {
  const { locale } = frame;
  const title = t(locale, 'identify.title', { app: signInTo(model.purpose) });
  const error = errorText(frame, model.error);
  const fieldError = model.error?.kind === 'too-many' ? undefined : error;
  const main = html`<h1>${title}</h1>
${purposeLine(locale, model.purpose)}
${model.confirmIdentity === true && html`<p class="context">${t(locale, 'identify.confirm')}</p>`}
${errorSummary(error)}
${stepForm(
  locale,
  'identify',
  model.form,
  html`${methods(frame, model)}
${textField({
  name: 'email',
  label: t(locale, 'identify.email'),
  type: 'email',
  autocomplete: 'username webauthn',
  value: model.email,
  error: fieldError,
  required: true,
  focus: error === undefined,
  maxLength: 254,
})}
${button('primary', t(locale, 'identify.continue'))}`,
)}
${suggestion(frame, model)}
${
  model.signUpUrl !== undefined &&
  html`<p class="aside">${t(locale, 'identify.newHere')} <a href="${model.signUpUrl}">${t(locale, 'identify.signUp')}</a></p>`
}`;
  return renderPage(frame, { title, main, scripts: ['forms.js'] });
}

function methods({ locale }: Frame, model: IdentifyModel): Html | false {
  if (model.methods === undefined || model.methods.length === 0) return false;
  const buttons = model.methods.map((method) =>
    button(
      'secondary',
      html`${method.label}${method.lastUsed === true && html` <span class="tag">${t(locale, 'identify.lastUsed')}</span>`}`,
      {
        name: 'method',
        value: method.value,
        skipsChecks: true,
      },
    ),
  );
  return html`<div class="methods">${buttons}</div><p class="or"><span>${t(locale, 'identify.or')}</span></p>`;
}

function suggestion({ locale }: Frame, model: IdentifyModel): Html | false {
  if (model.suggestedEmail === undefined) return false;
  const domain = model.suggestedEmail.slice(model.suggestedEmail.lastIndexOf('@') + 1);
  const form = { ...model.form, hidden: { ...model.form.hidden, email: model.suggestedEmail } };
  return stepForm(
    locale,
    'suggestion',
    form,
    button('link', rich(locale, 'identify.suggestion', { domain: strangersName(domain, 100) })),
  );
}

function errorText({ locale }: Frame, error: IdentifyError | undefined): string | undefined {
  if (error === undefined) return undefined;
  if (error.kind === 'empty') return t(locale, 'identify.empty');
  if (error.kind === 'malformed') return t(locale, 'identify.malformed');
  return t(locale, 'identify.tooMany', { count: error.minutes });
}
