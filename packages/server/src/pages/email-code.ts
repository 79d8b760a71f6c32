import { type Html, html } from './html.ts';
import { type Frame, renderPage } from './layout.ts';
import { type MessageKey, rich, t } from './messages.ts';
import {
  button,
  disclosure,
  errorSummary,
  type FormTarget,
  stepForm,
  strangersName,
} from './parts.ts';
import { continueLine, type Purpose } from './purpose.ts';

export type EmailCodeModel = {
  form: FormTarget;
  purpose: Purpose;
  /** The address as it may be shown before sign-in (`maskedEmail`), or in full when this browser typed it. */
  email: string;
  /** Lifetime of the code (AS-147). */
  minutes: number;
  /** Address the mail comes from, for people who look for it. */
  sender: string;
  error?: EmailCodeError | undefined;
  /** A new code was just sent on request. */
  resent?: boolean | undefined;
  /** Seconds until a new code may be asked for; absent when it may be now. */
  waitSeconds?: number | undefined;
};

export type EmailCodeError =
  | { kind: 'empty' }
  | { kind: 'wrong'; triesLeft: number }
  | { kind: 'expired' }
  | { kind: 'older' }
  | { kind: 'used-up' }
  /** The budget of the address is used up: same page, no mail (AS-147). */
  | { kind: 'budget' }
  /** Asked for a new code too early. */
  | { kind: 'wait'; seconds: number };

/** Types the code from the mail; one single field, so that pasting and autofill work (hosted-pages 3.3). */
export function emailCodePage(frame: Frame, model: EmailCodeModel): Html {
  const { locale } = frame;
  const title = t(locale, 'code.title');
  const error = errorText(frame, model.error);
  const main = html`<h1>${title}</h1>
${continueLine(locale, model.purpose)}
${errorSummary(error)}
${model.resent === true && error === undefined && html`<p class="notice" role="status">${t(locale, 'code.resent')}</p>`}
<p id="sent">${rich(locale, 'code.sent', { email: html`<strong>${strangersName(model.email, 254)}</strong>`, count: model.minutes })}</p>
${stepForm(
  locale,
  'email-code',
  model.form,
  html`${codeField(frame, model, error)}
${button('primary', t(locale, 'code.verify'), { name: 'action', value: 'verify' })}
<div class="row">${resendButton(frame, model.waitSeconds)}
${button('link', t(locale, 'code.otherEmail'), { name: 'action', value: 'change-email', skipsChecks: true })}</div>`,
)}
${disclosure(
  t(locale, 'code.didntGet'),
  html`<ul><li>${t(locale, 'code.helpSpam')}</li><li>${t(locale, 'code.helpSender', { sender: model.sender })}</li><li>${t(locale, 'code.helpTypo')}</li><li>${t(locale, 'code.helpIt')}</li></ul>`,
)}`;
  return renderPage(frame, { title, main, scripts: ['forms.js', 'code.js'] });
}

const entryErrors: readonly string[] = ['empty', 'wrong', 'older'];

function codeField({ locale }: Frame, model: EmailCodeModel, error: string | undefined): Html {
  const isEntryError = model.error !== undefined && entryErrors.includes(model.error.kind);
  return html`<div class="field">
<label for="code">${t(locale, 'code.label')}</label>
<input class="code" id="code" name="code" type="text" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9 \\-]*" maxlength="20" dir="ltr" required aria-describedby="sent${
    isEntryError && ' code-error'
  }"${isEntryError && html` aria-invalid="true"`}${error === undefined && html` autofocus`}>
${isEntryError && html`<p class="field-error" id="code-error">${error}</p>`}
</div>`;
}

/** The script counts down and disables it meanwhile; without scripts the server refuses politely. */
function resendButton({ locale }: Frame, waitSeconds: number | undefined): Html {
  const label = t(locale, 'code.resend');
  if (waitSeconds === undefined || waitSeconds <= 0) {
    return button('link', label, { name: 'action', value: 'resend', skipsChecks: true });
  }
  return html`<button class="link" type="submit" name="action" value="resend" formnovalidate data-wait="${Math.ceil(waitSeconds)}" data-wait-one="${template(
    locale,
    1,
  )}" data-wait-other="${template(locale, 2)}">${label}</button>`;
}

function template(locale: Frame['locale'], sample: number): string {
  return t(locale, 'code.wait', { count: sample }).replace(String(sample), '{n}');
}

const plainErrors: Readonly<
  Record<'empty' | 'expired' | 'older' | 'used-up' | 'budget', MessageKey>
> = {
  empty: 'code.empty',
  expired: 'code.expired',
  older: 'code.older',
  'used-up': 'code.usedUp',
  budget: 'code.budget',
};

function errorText({ locale }: Frame, error: EmailCodeError | undefined): string | undefined {
  if (error === undefined) return undefined;
  if (error.kind === 'wrong') return t(locale, 'code.wrong', { count: error.triesLeft });
  if (error.kind === 'wait') return t(locale, 'code.wait', { count: error.seconds });
  return t(locale, plainErrors[error.kind]);
}
