import { type Html, html } from './html.ts';
import { type Frame, renderPage } from './layout.ts';
import { type Locale, type MessageKey, rich, t } from './messages.ts';
import { button, cleanName, type FormTarget, stepForm, strangersName } from './parts.ts';

const ORGANIZATION_MAX = 80;

export type PortalStartModel = { form: FormTarget; organization: string };

/** What a link to the administration portal shows. Opening it consumed nothing: previews of mail and chat open links too. */
export function portalStartPage(frame: Frame, model: PortalStartModel): Html {
  const { locale } = frame;
  const organization = strangersName(model.organization, ORGANIZATION_MAX);
  const main = html`<h1>${rich(locale, 'portal.start.title', { organization })}</h1>
<p>${rich(locale, 'portal.start.about', { organization })}</p>
${stepForm(
  locale,
  'portal-start',
  model.form,
  button('primary', t(locale, 'portal.start.button'), { name: 'action', value: 'start' }),
)}`;
  const plain = cleanName(model.organization, ORGANIZATION_MAX);
  const title = t(locale, 'portal.start.title', { organization: plain });
  return renderPage(frame, { title, main, scripts: ['forms.js'] });
}

export type PortalModel = {
  organization: string;
  /** What can be set up: `sso`, `dir_sync`, `domain_verification`. Others are not shown. */
  features: readonly string[];
  minutesLeft: number;
};

const WORDS: Readonly<Record<string, { readonly name: MessageKey; readonly next: MessageKey }>> = {
  sso: { name: 'portal.sso', next: 'portal.next.sso' },
  dir_sync: { name: 'portal.directory', next: 'portal.next.directory' },
  domain_verification: { name: 'portal.domains', next: 'portal.next.domains' },
};

/** The administration portal of an organization: what can be set up. */
export function portalPage(frame: Frame, model: PortalModel): Html {
  const { locale } = frame;
  const known = model.features.flatMap((feature) => WORDS[feature] ?? []);
  const organization = strangersName(model.organization, ORGANIZATION_MAX);
  const plain = cleanName(model.organization, ORGANIZATION_MAX);
  const what = listOf(
    locale,
    known.map(({ name }) => t(locale, name)),
  );
  const has = known.length > 0;
  const key = has ? 'portal.title' : 'portal.nothing';
  const main = html`<h1>${rich(locale, key, { organization, what })}</h1>
${!has && html`<p>${t(locale, 'portal.nothingWhy')}</p>`}
${has && html`<ul>${known.map(({ next }) => html`<li>${t(locale, next)}</li>`)}</ul>`}
<p class="help">${t(locale, 'portal.until', { count: model.minutesLeft })}</p>`;
  return renderPage(frame, { title: t(locale, key, { organization: plain, what }), main });
}

function listOf(locale: Locale, names: readonly string[]): string {
  return new Intl.ListFormat(locale, { type: 'conjunction' }).format([...names]);
}
