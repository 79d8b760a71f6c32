import { type Html, type HtmlValue, html, safeUrl } from './html.ts';
import { type Locale, rich, t } from './messages.ts';
import { displayName } from './plain-text.ts';
import { type RedirectTarget, shortFront } from './redirect-target.ts';

/** Where a form posts to and what it carries back unchanged (CSRF token, request id). Both are the caller's. */
export type FormTarget = {
  /** Path on our own origin. */
  action: string;
  hidden: Readonly<Record<string, string>>;
};

/** Longest client name shown (hosted-pages 3.6). */
const CLIENT_NAME_MAX = 60;

/** A POST form of one step. `novalidate` where we word the errors ourselves. */
export function stepForm(
  locale: Locale,
  step: string,
  target: FormTarget,
  content: Html,
  validate = false,
): Html {
  return html`<form method="post" action="${target.action}" data-step="${step}" data-busy="${t(locale, 'page.busy')}"${!validate && html` novalidate`}>
${Object.entries(target.hidden).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
${content}
</form>`;
}

export type Field = {
  name: string;
  label: HtmlValue;
  type: 'text' | 'email';
  autocomplete: string;
  value?: string | undefined;
  error?: string | undefined;
  help?: Html | undefined;
  required?: boolean | undefined;
  /** Takes the focus when the page has no error to read first. */
  focus?: boolean | undefined;
  maxLength: number;
};

/** A labelled text field with its error under it. */
export function textField(field: Field): Html {
  const describedBy = [field.help && `${field.name}-help`, field.error && `${field.name}-error`]
    .filter(Boolean)
    .join(' ');
  return html`<div class="field">
<label for="${field.name}">${field.label}</label>
${field.help && html`<p class="help" id="${field.name}-help">${field.help}</p>`}
<input id="${field.name}" name="${field.name}" type="${field.type}" autocomplete="${field.autocomplete}" maxlength="${field.maxLength}" value="${field.value ?? ''}"${
    field.type === 'email' && html` inputmode="email" autocapitalize="none" spellcheck="false"`
  }${field.required && html` required`}${field.focus && html` autofocus`}${field.error !== undefined && html` aria-invalid="true"`}${
    describedBy !== '' && html` aria-describedby="${describedBy}"`
  }>
${field.error !== undefined && html`<p class="field-error" id="${field.name}-error">${field.error}</p>`}
</div>`;
}

/** What went wrong, at the top of the page and with the focus, so that it is read first. */
export function errorSummary(text: string | undefined): Html | false {
  if (text === undefined) return false;
  return html`<p class="alert" role="alert" tabindex="-1" autofocus>${text}</p>`;
}

export type ButtonLook = 'primary' | 'secondary' | 'link';

/** A submit button. `skipsChecks` lets it leave a form whose required fields are empty. */
export function button(
  look: ButtonLook,
  label: HtmlValue,
  options: { name?: string; value?: string; skipsChecks?: boolean } = {},
): Html {
  const { name, value, skipsChecks } = options;
  return html`<button class="${look}" type="submit"${name !== undefined && html` name="${name}" value="${value ?? ''}"`}${
    skipsChecks === true && html` formnovalidate`
  }>${label}</button>`;
}

/** A link to an address from outside, or plain text when the address may not be one (AS-135). */
export function outsideLink(
  address: string | undefined,
  text: HtmlValue,
  look: 'text' | ButtonLook = 'text',
): Html {
  const url = safeUrl(address);
  if (url === undefined) return html`<span>${text}</span>`;
  return html`<a${look !== 'text' && html` class="${look}"`} href="${url}" rel="noreferrer noopener"><span>${text}</span></a>`;
}

/** A name chosen by a stranger: cleaned, and isolated so that its direction cannot reorder our words. */
export function strangersName(name: string, max: number = CLIENT_NAME_MAX): Html {
  return html`<bdi>${cleanName(name, max)}</bdi>`;
}

/** The same as plain text, for titles and mails. */
export function cleanName(name: string, max: number = CLIENT_NAME_MAX): string {
  return displayName(name, max) || '?';
}

/**
 * A host as it must be read: left to right, the registrable domain strong, a port when it is unusual, and
 * an internationalised host in punycode with its Unicode form behind.
 */
export function hostName(target: Extract<RedirectTarget, { kind: 'web' }>): Html {
  const front = shortFront(target);
  return html`<bdi class="host" dir="ltr">${front}<strong>${target.domain}</strong>${target.port !== undefined && `:${target.port}`}</bdi>${
    target.unicode !== undefined && html` (<bdi>${target.unicode}</bdi>)`
  }`;
}

/** Where the browser will go, in the words of hosted-pages 3.6. */
export function destination(locale: Locale, target: RedirectTarget, clientName: string): Html {
  if (target.kind === 'web') return hostName(target);
  if (target.kind === 'app') {
    const values = {
      client: strangersName(clientName),
      scheme: html`<bdi dir="ltr">${displayName(target.scheme, 60)}</bdi>`,
    };
    return html`<strong>${rich(locale, 'target.namedApp', values)}</strong>`;
  }
  if (target.port === undefined) return html`<strong>${t(locale, 'target.thisDevice')}</strong>`;
  return html`<strong>${t(locale, 'target.thisDevicePort', { port: target.port })}</strong>`;
}

/** A folded block. */
export function disclosure(summary: HtmlValue, content: Html): Html {
  return html`<details><summary>${summary}</summary>${content}</details>`;
}

export type Row = { label: HtmlValue; value: HtmlValue };

/** Names and values, one below the other. */
export function rows(list: readonly Row[]): Html {
  return html`<dl>${list.map((row) => html`<div><dt>${row.label}</dt><dd>${row.value}</dd></div>`)}</dl>`;
}
