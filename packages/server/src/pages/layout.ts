import { type AssetName, assetPath } from './assets.ts';
import { type Html, html, safeUrl } from './html.ts';
import { direction, type Locale, languageName, t } from './messages.ts';
import { initial } from './plain-text.ts';

/** What surrounds every page: who runs it, in which language, under which reference. */
export type Frame = {
  locale: Locale;
  /** Request id shown to people ("Reference req_…") and found again in the timeline. */
  reference: string;
  brand: Brand;
  /** Language picker; left out when there is nothing to pick. */
  languages?: LanguagePicker | undefined;
};

export type Brand = {
  /** Name of the application or company; shown where there is no logo. */
  name: string;
  /** Paths on our own origin (the CSP loads no other). */
  logo?: { light: string; dark?: string | undefined } | undefined;
  /** Path of the environment's stylesheet of brand variables. */
  stylesheet?: string | undefined;
  /** Forces one colour scheme; by default the browser's preference decides. */
  scheme?: 'light' | 'dark' | undefined;
  termsUrl?: string | undefined;
  privacyUrl?: string | undefined;
  helpUrl?: string | undefined;
};

/** A GET form, so that it works without scripts: the choice arrives as `ui_locales`. */
export type LanguagePicker = {
  action: string;
  /** Query parameters of the page to keep. */
  hidden: Readonly<Record<string, string>>;
  offered: readonly Locale[];
};

export type PageContent = {
  /** Plain text of the document title; the brand's name is added. */
  title: string;
  /** Content of the one `<main>`, with its one `<h1>`. */
  main: Html;
  scripts?: readonly Extract<AssetName, `${string}.js`>[] | undefined;
  /** The code of an error page, for `data-error`. */
  error?: string | undefined;
};

/** A whole hosted page: no inline script or style, one `main`, complete without scripts (AS-129). */
export function renderPage(frame: Frame, page: PageContent): Html {
  const { locale, brand } = frame;
  return html`<!doctype html>
<html lang="${locale}" dir="${direction(locale)}"${brand.scheme !== undefined && html` data-scheme="${brand.scheme}"`}>
<head>
<meta charset="utf-8">
<title>${page.title} · ${brand.name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" href="${assetPath('icon.svg')}" type="image/svg+xml">
<link rel="stylesheet" href="${assetPath('hosted.css')}">
${brand.stylesheet !== undefined && html`<link rel="stylesheet" href="${brand.stylesheet}">`}
${(page.scripts ?? []).map((name) => html`<script src="${assetPath(name)}" defer></script>`)}
</head>
<body>
<div class="page">
<div class="card">
<header class="brand">${brandMark(brand)}</header>
<main${page.error !== undefined && html` data-error="${page.error}"`}>
${page.main}
</main>
</div>
${footer(frame, page.error !== undefined)}
</div>
</body>
</html>
`;
}

function brandMark(brand: Brand): Html {
  if (brand.logo === undefined) {
    return html`<span class="wordmark"><span class="mark" aria-hidden="true">${initial(brand.name)}</span><bdi>${brand.name}</bdi></span>`;
  }
  const { light, dark } = brand.logo;
  return html`<picture>${dark !== undefined && html`<source srcset="${dark}" media="(prefers-color-scheme: dark)">`}<img class="logo" src="${light}" alt="${brand.name}"></picture>`;
}

function footer(frame: Frame, isError: boolean): Html {
  const { locale, brand } = frame;
  const links = [
    footerLink(brand.termsUrl, t(locale, 'page.terms')),
    footerLink(brand.privacyUrl, t(locale, 'page.privacy')),
    footerLink(brand.helpUrl, t(locale, 'page.help')),
  ].filter((link) => link !== undefined);
  const line = html`<span class="reference">${t(locale, 'page.reference')} <code>${frame.reference}</code></span>`;
  return html`<footer>
${links.length > 0 && html`<ul class="links">${links}</ul>`}
${languagePicker(frame)}
${isError ? html`<p>${line}</p>` : html`<details><summary>${t(locale, 'page.reference')}</summary><p>${line}</p></details>`}
</footer>`;
}

function footerLink(address: string | undefined, text: string): Html | undefined {
  const url = safeUrl(address);
  return url === undefined ? undefined : html`<li><a href="${url}" rel="noopener">${text}</a></li>`;
}

function languagePicker({ locale, languages }: Frame): Html | false {
  if (languages === undefined || languages.offered.length < 2) return false;
  return html`<form class="languages" method="get" action="${languages.action}">
${Object.entries(languages.hidden).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
<label for="ui_locales">${t(locale, 'page.language')}</label>
<select id="ui_locales" name="ui_locales">${languages.offered.map(
    (offered) =>
      html`<option value="${offered}" lang="${offered}"${offered === locale && html` selected`}>${languageName(offered)}</option>`,
  )}</select>
<button class="link" type="submit">${t(locale, 'page.changeLanguage')}</button>
</form>`;
}
