import { type Html, html, safeUrl } from './html.ts';
import { direction, type Locale, t } from './messages.ts';
import { cleanName } from './parts.ts';
import { type RedirectTarget, redirectLabel } from './redirect-target.ts';

/** A mail ready to send. The HTML part loads nothing and tracks nobody. */
export type Mail = { subject: string; text: string; html: string };

export type SignInMail = {
  locale: Locale;
  /** Application or MCP server signed in to. */
  app: string;
  /** Absent where only the link works. */
  code: string | undefined;
  /** Sign-in link; it finishes a sign-in only in the browser that asked (AS-30). */
  link?: string | undefined;
  minutes: number;
  /** Absent where an application asked, and not a browser. */
  requester?: { device: string; place?: string | undefined } | undefined;
  reference: string;
};

/** The mail with a sign-in code, and the link where links are on (hosted-pages 3.3, 3.12). */
export function signInMail(model: SignInMail): Mail {
  const { locale } = model;
  const app = cleanName(model.app, 100);
  const { code } = model;
  const link = safeUrl(model.link);
  const asked = askedFor(locale, model.requester);
  const title = t(locale, 'mail.code.title', { app });
  const howTo = t(locale, code === undefined ? 'mail.link.text' : 'mail.code.text', {
    count: model.minutes,
  });
  const ignore = t(locale, code === undefined ? 'mail.link.ignore' : 'mail.code.ignore');
  const orLink = code === undefined ? undefined : t(locale, 'mail.code.link');
  const body = html`<p>${howTo}</p>
${code !== undefined && html`<p class="code">${code.replace(/^(\d{3})(\d{3})$/, '$1 $2')}</p>`}
${link !== undefined && html`${orLink !== undefined && html`<p>${orLink}</p>`}<p><a class="button" href="${link}">${t(locale, 'mail.code.button')}</a></p>`}
<p class="quiet">${asked !== undefined && html`${asked}<br>`}${ignore}</p>`;
  return {
    subject:
      code === undefined
        ? t(locale, 'mail.link.subject', { app })
        : t(locale, 'mail.code.subject', { code, app }),
    text: lines([
      title,
      howTo,
      code === undefined ? undefined : `    ${code}`,
      link === undefined ? undefined : orLink === undefined ? link : `${orLink}\n${link}`,
      asked === undefined ? ignore : `${asked}\n${ignore}`,
      t(locale, 'mail.reference', { reference: model.reference }),
    ]),
    html: document(locale, title, body, model.reference),
  };
}

function askedFor(locale: Locale, requester: SignInMail['requester']): string | undefined {
  if (!requester) return undefined;
  const device = cleanName(requester.device, 80);
  return requester.place === undefined
    ? t(locale, 'mail.code.device', { device })
    : t(locale, 'mail.code.devicePlace', { device, place: cleanName(requester.place, 80) });
}

export type ConnectedMail = {
  locale: Locale;
  clientName: string;
  server: string;
  redirect: RedirectTarget;
  email: string;
  /** Titles of what was granted, or scope names. */
  permissions: readonly string[];
  time: Date;
  /** Page where the access can be removed. */
  removeUrl?: string | undefined;
  reference: string;
};

/** Tells a person that a client that is not well known was connected in their name (AS-154). */
export function connectedMail(model: ConnectedMail): Mail {
  const { locale } = model;
  const client = cleanName(model.clientName);
  const server = cleanName(model.server, 100);
  const title = t(locale, 'mail.connected.title', { client, server });
  const time = `${model.time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  const happened = t(locale, 'mail.connected.text', { time, server, email: model.email });
  const host = t(locale, 'mail.connected.host', { host: redirectLabel(model.redirect) });
  const permissions = model.permissions.map((permission) => cleanName(permission, 120));
  const remove = safeUrl(model.removeUrl);
  const notYou =
    remove === undefined
      ? t(locale, 'mail.connected.notYouPlain', { server })
      : t(locale, 'mail.connected.notYou');
  const body = html`<p>${happened} ${host}</p>
${permissions.length > 0 && html`<p>${t(locale, 'mail.connected.may')}</p><ul>${permissions.map((permission) => html`<li>${permission}</li>`)}</ul>`}
<p>${t(locale, 'mail.connected.wasYou')} ${notYou}</p>
${remove !== undefined && html`<p><a class="button" href="${remove}">${t(locale, 'mail.connected.remove')}</a></p>`}`;
  return {
    subject: t(locale, 'mail.connected.subject', { client, server }),
    text: lines([
      title,
      `${happened} ${host}`,
      permissions.length === 0
        ? undefined
        : [
            t(locale, 'mail.connected.may'),
            ...permissions.map((permission) => `  - ${permission}`),
          ].join('\n'),
      `${t(locale, 'mail.connected.wasYou')} ${notYou}${remove === undefined ? '' : `\n${remove}`}`,
      t(locale, 'mail.reference', { reference: model.reference }),
    ]),
    html: document(locale, title, body, model.reference),
  };
}

/** The text part: paragraphs, those that are there. */
export function lines(parts: readonly (string | undefined)[]): string {
  return `${parts.filter((part) => part !== undefined).join('\n\n')}\n`;
}

/** Mail programs load no stylesheets, so the few rules stand in the head; programs that drop them show plain text. */
export function document(locale: Locale, title: string, body: Html, reference: string): string {
  return html`<!doctype html>
<html lang="${locale}" dir="${direction(locale)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${title}</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; padding: 24px 12px; background: #f7f8fa; color: #14171f; font: 16px/24px ui-sans-serif, system-ui, sans-serif; }
table { width: 100%; max-width: 560px; margin: 0 auto; border-collapse: collapse; }
td { padding: 32px; background: #ffffff; border: 1px solid #dde1e7; border-radius: 8px; }
h1 { margin: 0 0 16px; font-size: 22px; line-height: 28px; }
p, ul { margin: 0 0 16px; }
.code { font: 600 32px/40px ui-monospace, monospace; letter-spacing: 4px; }
.button { display: inline-block; padding: 10px 20px; border-radius: 6px; background: #2456d6; color: #ffffff; text-decoration: none; font-weight: 600; }
.quiet, .reference { color: #525a68; font-size: 14px; line-height: 20px; }
.reference { margin: 0; }
@media (prefers-color-scheme: dark) {
body { background: #0e1014; color: #eceef2; }
td { background: #14171c; border-color: #2b313b; }
.button { background: #7ea2ff; color: #0e1014; }
.quiet, .reference { color: #aab2bf; }
}
</style>
</head>
<body>
<table role="presentation" align="center"><tr><td>
<h1>${title}</h1>
${body}
<p class="reference">${t(locale, 'mail.reference', { reference })}</p>
</td></tr></table>
</body>
</html>
`.toString();
}
