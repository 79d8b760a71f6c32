import { type Html, html } from './html.ts';
import { icon } from './icons.ts';
import { type Locale, rich, t } from './messages.ts';
import { destination, strangersName } from './parts.ts';
import { type RedirectTarget, redirectLabel } from './redirect-target.ts';

/** How far a client is known, decided elsewhere (hosted-pages 3.6). The first two are green, the last is red. */
export type Trust =
  | { kind: 'operator'; company: string }
  | { kind: 'known-host'; host: string }
  | { kind: 'identified-host' }
  | { kind: 'local-app' }
  | { kind: 'self-declared' }
  /** Named like a well-known client whose own host is `knownHost`. */
  | { kind: 'look-alike'; knownHost: string };

export type Colour = 'green' | 'amber' | 'red';

export type TrustModel = {
  clientName: string;
  trust: Trust;
  redirect: RedirectTarget;
  /** How the client came to be known; a document's host is always shown, self-registration always said (AS-126). */
  registration:
    | { kind: 'operator' }
    | { kind: 'metadata-document'; host: string; firstPathSegment?: string | undefined }
    | { kind: 'dynamic' };
  /** Warnings of AS-127. */
  firstSeen?: boolean | undefined;
  differentHost?: boolean | undefined;
};

const colours: Readonly<Record<Trust['kind'], Colour>> = {
  operator: 'green',
  'known-host': 'green',
  'identified-host': 'amber',
  'local-app': 'amber',
  'self-declared': 'amber',
  'look-alike': 'red',
};

/** Green pages put Allow first and let the script set the tick; amber and red ones do neither (AS-153). */
export function trustColour(trust: Trust): Colour {
  return colours[trust.kind];
}

/**
 * "Who is asking" and where the browser goes next. It stands on colours of its own, which no brand can
 * change, and stays on screen on narrow screens.
 */
export function whoBlock(locale: Locale, model: TrustModel): Html {
  const colour = trustColour(model.trust);
  const host = destination(locale, model.redirect, model.clientName);
  const iconName = colour === 'green' ? 'check' : colour === 'amber' ? 'warning' : 'stop';
  return html`<section class="who ${colour}" aria-label="${t(locale, 'consent.who')}">
${icon(iconName)}
<div>
<p>${trustSentence(locale, model, host)}${
    model.registration.kind === 'dynamic' && html` ${t(locale, 'consent.selfRegistered')}`
  }</p>
${extraLines(locale, model, host)}
<p class="destination">${rich(locale, 'consent.destination', { host })}</p>
</div>
</section>`;
}

function trustSentence(locale: Locale, model: TrustModel, host: Html): Html {
  const { trust } = model;
  const client = strangersName(model.clientName);
  switch (trust.kind) {
    case 'operator':
      return rich(locale, 'consent.operator', {
        company: html`<strong><bdi>${trust.company}</bdi></strong>`,
      });
    case 'known-host':
      return rich(locale, 'consent.knownHost', {
        host: html`<strong class="host"><bdi dir="ltr">${trust.host}</bdi></strong>`,
      });
    case 'identified-host':
      return rich(locale, 'consent.identified', { host: documentHost(model) });
    case 'local-app':
      return rich(locale, 'consent.localApp', { client });
    case 'self-declared':
      return rich(locale, 'consent.selfDeclared', { host });
    case 'look-alike':
      return rich(locale, 'consent.lookAlike', {
        client,
        host,
        known: html`<bdi dir="ltr">${trust.knownHost}</bdi>`,
      });
  }
}

function documentHost({ registration }: TrustModel): Html {
  if (registration.kind !== 'metadata-document') return html`?`;
  const { host, firstPathSegment } = registration;
  return html`<strong class="host"><bdi dir="ltr">${host}${firstPathSegment !== undefined && `/${firstPathSegment}`}</bdi></strong>`;
}

function extraLines(locale: Locale, model: TrustModel, host: Html): Html[] {
  const lines: Html[] = [];
  const { trust, registration } = model;
  if (
    registration.kind === 'metadata-document' &&
    trust.kind !== 'known-host' &&
    trust.kind !== 'identified-host'
  ) {
    lines.push(rich(locale, 'consent.identified', { host: documentHost(model) }));
  }
  if (model.differentHost === true && registration.kind === 'metadata-document') {
    lines.push(rich(locale, 'consent.otherSite', { host }));
  }
  if (model.firstSeen === true) lines.push(rich(locale, 'consent.firstSeen'));
  return lines.map((line) => html`<p>${line}</p>`);
}

/**
 * The label of the required tick (AS-153): what the person vouches for. An address no operator registered
 * is vouched for by name (AS-38).
 */
export function tickLabel(
  locale: Locale,
  model: TrustModel,
  unregisteredResource: { host?: string | undefined } | undefined,
): string {
  if (unregisteredResource?.host !== undefined)
    return t(locale, 'consent.tickTrust', { host: unregisteredResource.host });
  const vouchesForHost =
    trustColour(model.trust) !== 'green' &&
    model.redirect.kind === 'web' &&
    unregisteredResource === undefined;
  if (!vouchesForHost) return t(locale, 'consent.tickStarted');
  return t(locale, 'consent.tickHost', { host: redirectLabel(model.redirect) });
}
