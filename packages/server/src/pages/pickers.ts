import { type Html, html } from './html.ts';
import { type Frame, renderPage } from './layout.ts';
import { t } from './messages.ts';
import { button, type FormTarget, stepForm, strangersName } from './parts.ts';
import { initial } from './plain-text.ts';
import { continueLine, type Purpose } from './purpose.ts';

export type PickAccountModel = {
  form: FormTarget;
  purpose: Purpose;
  accounts: readonly { id: string; name?: string | undefined; email: string }[];
};

/** Several people are signed in to this browser (hosted-pages 3.1). Each row is a submit button. */
export function pickAccountPage(frame: Frame, model: PickAccountModel): Html {
  const { locale } = frame;
  const title = t(locale, 'account.title');
  const list = model.accounts.map((account) => {
    const first = account.name ?? account.email;
    const second = account.name === undefined ? undefined : account.email;
    const label = t(locale, 'account.removeNamed', { email: account.email });
    return html`<li>${choice('account_id', account.id, first, second)}
<button class="remove" type="submit" name="remove_account_id" value="${account.id}" aria-label="${label}" title="${label}"><span aria-hidden="true">×</span></button></li>`;
  });
  const main = html`<h1>${title}</h1>
${continueLine(locale, model.purpose)}
${stepForm(
  locale,
  'pick-account',
  model.form,
  html`<ul class="choices removable">${list}</ul>
${button('link', t(locale, 'account.other'), { name: 'action', value: 'other-account' })}`,
)}`;
  return renderPage(frame, { title, main, scripts: ['forms.js'] });
}

export type PickOrganizationModel = {
  form: FormTarget;
  purpose: Purpose;
  /** The environment's word for an organization, lower case: "workspace". */
  word: string;
  email: string;
  organizations: readonly {
    id: string;
    name: string;
    role?: string | undefined;
    lastUsed?: boolean | undefined;
    /** Name of the identity provider its single sign-on needs. */
    requires?: string | undefined;
    /** A pending invitation: choosing it joins. */
    invited?: boolean | undefined;
  }[];
};

/** Which organization to sign in to (hosted-pages 3.5). */
export function pickOrganizationPage(frame: Frame, model: PickOrganizationModel): Html {
  const { locale } = frame;
  const title = t(locale, 'organization.title', { workspace: model.word });
  const list = model.organizations.map((organization) => {
    const about = [
      organization.invited === true ? t(locale, 'organization.invited') : organization.role,
      organization.requires !== undefined &&
        t(locale, 'organization.requires', { provider: organization.requires }),
    ].filter((part) => typeof part === 'string');
    const tag =
      organization.invited === true
        ? t(locale, 'organization.join')
        : organization.lastUsed === true && t(locale, 'organization.lastUsed');
    const second = about.length === 0 ? undefined : about.join(' · ');
    return html`<li>${choice('organization_id', organization.id, organization.name, second, tag)}</li>`;
  });
  const main = html`<h1>${title}</h1>
${continueLine(locale, model.purpose)}
${stepForm(
  locale,
  'pick-organization',
  model.form,
  html`<ul class="choices">${list}</ul>
<p class="help">${t(locale, 'organization.signedIn', { email: model.email })}</p>
${button('link', t(locale, 'organization.notYou'), { name: 'action', value: 'sign-out' })}`,
)}`;
  return renderPage(frame, { title, main, scripts: ['forms.js'] });
}

export type NoOrganizationModel = { form: FormTarget; word: string; contact?: string | undefined };

/** Signed in, but a member of nothing. */
export function noOrganizationPage(frame: Frame, model: NoOrganizationModel): Html {
  const { locale } = frame;
  const title = t(locale, 'organization.none', { workspace: model.word });
  const ask =
    model.contact === undefined
      ? t(locale, 'organization.askOwner')
      : t(locale, 'organization.ask', { contact: model.contact });
  const main = html`<h1>${title}.</h1>
<p>${ask}</p>
${stepForm(
  locale,
  'pick-organization',
  model.form,
  button('secondary', t(locale, 'organization.signOut'), { name: 'action', value: 'sign-out' }),
)}`;
  return renderPage(frame, { title, main, scripts: ['forms.js'] });
}

export type SingleSignOnModel = {
  form: FormTarget;
  purpose: Purpose;
  organization: string;
  provider: string;
};

/** The email's domain uses single sign-on: one button, not a silent jump (hosted-pages 3.1). */
export function singleSignOnPage(frame: Frame, model: SingleSignOnModel): Html {
  const { locale } = frame;
  const title = t(locale, 'sso.title', { organization: model.organization });
  const main = html`<h1>${title}</h1>
${continueLine(locale, model.purpose)}
${stepForm(
  locale,
  'single-sign-on',
  model.form,
  html`${button('primary', t(locale, 'sso.continue', { provider: model.provider }), { name: 'action', value: 'continue' })}
${button('link', t(locale, 'sso.other'), { name: 'action', value: 'change-email' })}`,
)}`;
  return renderPage(frame, { title, main, scripts: ['forms.js'] });
}

function choice(
  name: string,
  value: string,
  first: string,
  second: string | undefined,
  tag?: string | false,
): Html {
  return html`<button class="choice" type="submit" name="${name}" value="${value}"><span class="tile" aria-hidden="true">${initial(first)}</span><span class="choice-text"><span>${strangersName(first, 80)}</span>${
    second !== undefined && html`<span class="help">${strangersName(second, 120)}</span>`
  }</span>${typeof tag === 'string' && html`<span class="tag">${tag}</span>`}</button>`;
}
