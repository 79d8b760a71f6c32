import { type Html, html } from './html.ts';
import { type Frame, renderPage } from './layout.ts';
import { t } from './messages.ts';
import { button, errorSummary, type FormTarget, stepForm, textField } from './parts.ts';
import { capitalized } from './plain-text.ts';
import { continueLine, type Purpose, signInTo } from './purpose.ts';

export type SignUpModel = {
  form: FormTarget;
  purpose: Purpose;
  email?: string | undefined;
  name?: string | undefined;
  nameRequired?: boolean | undefined;
  /** Asks for the organization's name too, in the environment's word for it. */
  organization?: { word: string; value?: string | undefined } | undefined;
  error?: SignUpError | undefined;
  /** Page to sign in instead. */
  signInUrl?: string | undefined;
};

export type SignUpError =
  | { field: 'email'; kind: 'empty' | 'malformed' | 'public-domain' | 'disposable' }
  | { field: 'name'; kind: 'empty' }
  | { field: 'organization_name'; kind: 'empty' };

/** Creates an account; whether one exists already is told to nobody (hosted-pages 3.2). */
export function signUpPage(frame: Frame, model: SignUpModel): Html {
  const { locale } = frame;
  const title = t(locale, 'signUp.title', { app: signInTo(model.purpose) });
  const error = errorText(frame, model);
  const errorOf = (field: SignUpError['field']): string | undefined =>
    model.error?.field === field ? error : undefined;
  const fields = [
    textField({
      name: 'email',
      label: t(locale, 'identify.email'),
      type: 'email',
      autocomplete: 'email',
      value: model.email,
      error: errorOf('email'),
      required: true,
      focus: error === undefined,
      maxLength: 254,
    }),
    textField({
      name: 'name',
      label:
        model.nameRequired === true
          ? t(locale, 'signUp.name')
          : html`${t(locale, 'signUp.name')} <span class="optional">${t(locale, 'signUp.optional')}</span>`,
      type: 'text',
      autocomplete: 'name',
      value: model.name,
      error: errorOf('name'),
      required: model.nameRequired,
      maxLength: 120,
    }),
    organizationField(frame, model, errorOf('organization_name')),
  ].filter((field) => field !== undefined);
  const main = html`<h1>${title}</h1>
${continueLine(locale, model.purpose)}
${errorSummary(error)}
${stepForm(locale, 'sign-up', model.form, html`${fields}${button('primary', t(locale, 'signUp.create'))}`)}
${
  model.signInUrl !== undefined &&
  html`<p class="aside">${t(locale, 'signUp.haveAccount')} <a href="${model.signInUrl}">${t(locale, 'signUp.signIn')}</a></p>`
}`;
  return renderPage(frame, { title, main, scripts: ['forms.js'] });
}

function organizationField(
  { locale }: Frame,
  model: SignUpModel,
  error: string | undefined,
): Html | undefined {
  if (model.organization === undefined) return undefined;
  return textField({
    name: 'organization_name',
    label: t(locale, 'signUp.organization', { workspace: capitalized(model.organization.word) }),
    type: 'text',
    autocomplete: 'organization',
    value: model.organization.value,
    error,
    required: true,
    maxLength: 120,
  });
}

function errorText({ locale }: Frame, model: SignUpModel): string | undefined {
  const { error } = model;
  if (error === undefined) return undefined;
  const workspace = model.organization?.word ?? 'workspace';
  if (error.field === 'name') return t(locale, 'signUp.nameEmpty');
  if (error.field === 'organization_name')
    return t(locale, 'signUp.organizationEmpty', { workspace });
  switch (error.kind) {
    case 'empty':
      return t(locale, 'identify.empty');
    case 'malformed':
      return t(locale, 'identify.malformed');
    case 'public-domain':
      return t(locale, 'signUp.publicDomain', { workspace });
    case 'disposable':
      return t(locale, 'signUp.disposable');
  }
}
