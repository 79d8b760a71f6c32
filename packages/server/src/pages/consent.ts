import { type ConsentScope, scopeList } from './consent-scopes.ts';
import { type TrustModel, tickLabel, trustColour, whoBlock } from './consent-trust.ts';
import { type Html, html, safeUrl } from './html.ts';
import { icon } from './icons.ts';
import { type Frame, renderPage } from './layout.ts';
import { type Locale, rich, t } from './messages.ts';
import {
  button,
  cleanName,
  disclosure,
  errorSummary,
  type FormTarget,
  outsideLink,
  type Row,
  rows,
  stepForm,
  strangersName,
} from './parts.ts';
import { capitalized, initial } from './plain-text.ts';

export type ConsentModel = TrustModel & {
  form: FormTarget;
  clientDetails: {
    id: string;
    /** Full redirect URI as requested. */
    redirectUri: string;
    registeredAt?: Date | undefined;
    /** Path on our own origin; shown only on the green levels. */
    logo?: string | undefined;
    termsUrl?: string | undefined;
    privacyUrl?: string | undefined;
  };
  server: {
    name: string;
    /** Host of the Server URL: the place that is opened (AS-126). */
    host?: string | undefined;
    /** The `resource` as asked for. */
    resource?: string | undefined;
    logo?: string | undefined;
    /** Who runs it, for the footer. */
    company?: string | undefined;
  };
  account: {
    name?: string | undefined;
    email: string /** Page that switches it. */;
    switchUrl?: string | undefined;
  };
  /** What the environment calls an organization ("workspace"), and the ones the person may choose from. */
  organization?:
    | {
        word: string;
        options: readonly { id: string; name: string }[];
        selected?: string | undefined;
      }
    | undefined;
  scopes: readonly ConsentScope[];
  /** Boxes as posted when the page is shown again. */
  selectedScopes?: readonly string[] | undefined;
  /** Days until lasting access ends at most, when `offline_access` is asked for. */
  offlineDays?: number | undefined;
  /** A larger request of a client that already has a grant (AS-46). */
  stepUp?: boolean | undefined;
  /** The MCP server may read userinfo (AS-125). */
  serverSeesProfile?: boolean | undefined;
  /** `allow_unregistered_resource` is on and no Server URL is registered (AS-38). */
  unregisteredResource?: { host?: string | undefined } | undefined;
  /** Where connected apps are managed, as an address to show and link. */
  accountUrl?: string | undefined;
  /** Allow was posted without the tick (AS-153). */
  tickMissing?: boolean | undefined;
  /** Allow was posted for a page that said something else. */
  hasChanged?: boolean | undefined;
};

/** Asks the person for consent (hosted-pages 3.6, AS-126). */
export function consentPage(frame: Frame, model: ConsentModel): Html {
  const { locale } = frame;
  const added = model.scopes.filter((scope) => scope.granted !== true).length;
  const names = {
    client: strangersName(model.clientName),
    server: html`<bdi>${model.server.name}</bdi>`,
    count: added,
  };
  const plain = { client: cleanName(model.clientName), server: model.server.name, count: added };
  const titleKey = model.stepUp === true && added > 0 ? 'consent.stepUp' : 'consent.title';
  const main = html`${connectionIcons(model)}
<h1>${rich(locale, titleKey, names)}</h1>
${errorSummary(notice(locale, model))}
${stepForm(
  locale,
  'consent',
  model.form,
  html`${whoBlock(locale, model)}
${facts(frame, model)}
${scopeList(locale, { scopes: model.scopes, selected: model.selectedScopes, offlineDays: model.offlineDays })}
${smallPrint(frame, model)}
${decision(frame, model)}`,
  true,
)}
${fineLinks(frame, model)}
${technicalDetails(frame, model)}`;
  return renderPage(frame, {
    title: t(locale, titleKey, plain),
    main,
    scripts: ['forms.js', 'consent.js'],
  });
}

function notice(locale: Locale, model: ConsentModel): string | undefined {
  if (model.hasChanged === true) return t(locale, 'consent.changed');
  return model.tickMissing === true ? t(locale, 'consent.tickMissing') : undefined;
}

function connectionIcons(model: ConsentModel): Html {
  const isKnown = trustColour(model.trust) === 'green';
  const tile = (name: string, logo: string | undefined): Html =>
    logo === undefined
      ? html`<span class="tile">${initial(name)}</span>`
      : html`<img class="tile" src="${logo}" alt="" width="48" height="48">`;
  const clientLogo = isKnown ? model.clientDetails.logo : undefined;
  return html`<div class="connection" aria-hidden="true">${tile(cleanName(model.clientName), clientLogo)}${icon('arrow')}${tile(model.server.name, model.server.logo)}</div>`;
}

function facts({ locale }: Frame, model: ConsentModel): Html {
  const { account, organization, server } = model;
  const list: Row[] = [
    {
      label: t(locale, 'consent.opens'),
      value: html`<bdi>${server.name}</bdi>${server.host !== undefined && html`<span class="help"><bdi class="host" dir="ltr">${server.host}</bdi></span>`}`,
    },
    {
      label: t(locale, 'consent.account'),
      value: html`${account.name !== undefined && html`<bdi>${account.name}</bdi><br>`}<bdi dir="ltr">${account.email}</bdi>${
        account.switchUrl !== undefined &&
        html`<br><a href="${account.switchUrl}">${t(locale, 'consent.switch')}</a>`
      }`,
    },
  ];
  const only = organization?.options.length === 1 ? organization.options[0] : undefined;
  if (organization !== undefined && only !== undefined)
    list.push({
      label: capitalized(organization.word),
      value: html`${strangersName(only.name, 80)}`,
    });
  return html`<div class="facts">${rows(list)}${organization !== undefined && organization.options.length > 1 && organizationSelect(organization)}</div>`;
}

function organizationSelect(organization: NonNullable<ConsentModel['organization']>): Html {
  return html`<div class="field">
<label for="organization_id">${capitalized(organization.word)}</label>
<select id="organization_id" name="organization_id">${organization.options.map(
    (option) =>
      html`<option value="${option.id}"${option.id === organization.selected && html` selected`}>${cleanName(option.name, 80)}</option>`,
  )}</select>
</div>`;
}

function smallPrint({ locale }: Frame, model: ConsentModel): Html {
  const lines: Html[] = [];
  if (model.serverSeesProfile === true)
    lines.push(rich(locale, 'consent.userinfo', { server: html`<bdi>${model.server.name}</bdi>` }));
  lines.push(html`${t(locale, 'consent.cannot')}`);
  if (!model.scopes.some((scope) => scope.class === 'offline'))
    lines.push(html`${t(locale, 'consent.notLasting')}`);
  const account = safeUrl(model.accountUrl);
  lines.push(
    account === undefined
      ? html`${t(locale, 'consent.undoPlain')}`
      : rich(locale, 'consent.undo', {
          link: html`<a href="${account}" rel="noopener">${account.replace(/^https?:\/\//, '')}</a>`,
        }),
  );
  return html`<ul class="small-print">${lines.map((line) => html`<li>${line}</li>`)}</ul>`;
}

/** Tick and buttons. On amber and red Cancel comes first and Allow is not the primary button. */
function decision({ locale }: Frame, model: ConsentModel): Html {
  const isGreen = trustColour(model.trust) === 'green' && model.unregisteredResource === undefined;
  const cancel = button(isGreen ? 'secondary' : 'primary', t(locale, 'consent.cancel'), {
    name: 'decision',
    value: 'deny',
    skipsChecks: true,
  });
  const allow = button(isGreen ? 'primary' : 'secondary', t(locale, 'consent.allow'), {
    name: 'decision',
    value: 'allow',
  });
  const isMissing = model.tickMissing === true;
  return html`<div class="decision">
<div class="tick"${isGreen && html` data-auto-confirm`}>
<label class="check" for="confirm"><input type="checkbox" id="confirm" name="confirm" value="yes" required${
    isMissing && html` aria-invalid="true" aria-describedby="confirm-error"`
  }><span>${tickLabel(locale, model, model.unregisteredResource)}</span></label>
${isMissing && html`<p class="field-error" id="confirm-error">${t(locale, 'consent.tickMissingField')}</p>`}
</div>
<div class="pair">${isGreen ? html`${allow}${cancel}` : html`${cancel}${allow}`}</div>
</div>`;
}

function fineLinks({ locale, brand }: Frame, model: ConsentModel): Html {
  const { company, name } = model.server;
  const client = strangersName(model.clientName);
  const httpsOnly = (address: string | undefined): string | undefined =>
    safeUrl(address)?.startsWith('https:') ? address : undefined;
  const terms = httpsOnly(model.clientDetails.termsUrl);
  const privacy = httpsOnly(model.clientDetails.privacyUrl);
  return html`<p class="fine">${rich(locale, 'consent.runs', { company: html`<bdi>${company ?? brand.name}</bdi>`, server: html`<bdi>${name}</bdi>` })}
${terms !== undefined && outsideLink(terms, rich(locale, 'consent.clientTerms', { client }))}
${privacy !== undefined && outsideLink(privacy, rich(locale, 'consent.clientPrivacy', { client }))}</p>`;
}

function technicalDetails(frame: Frame, model: ConsentModel): Html {
  const { locale } = frame;
  const { clientDetails, registration, server } = model;
  const kind = {
    operator: 'consent.kind.operator',
    'metadata-document': 'consent.kind.document',
    dynamic: 'consent.kind.dynamic',
  } as const;
  const list: Row[] = [
    { label: t(locale, 'consent.clientId'), value: html`<code>${clientDetails.id}</code>` },
    { label: t(locale, 'consent.registration'), value: t(locale, kind[registration.kind]) },
  ];
  if (clientDetails.registeredAt !== undefined) {
    list.push({
      label: t(locale, 'consent.registeredAt'),
      value: clientDetails.registeredAt.toISOString().slice(0, 10),
    });
  }
  list.push({
    label: t(locale, 'consent.redirectUri'),
    value: html`<code>${clientDetails.redirectUri}</code>`,
  });
  if (server.resource !== undefined)
    list.push({
      label: t(locale, 'consent.resource'),
      value: html`<code>${server.resource}</code>`,
    });
  list.push({ label: t(locale, 'page.reference'), value: html`<code>${frame.reference}</code>` });
  return disclosure(t(locale, 'consent.technical'), rows(list));
}
