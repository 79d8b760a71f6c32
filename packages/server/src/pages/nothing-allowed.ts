import { type Html, html, safeUrl } from './html.ts';
import { type Frame, renderPage } from './layout.ts';
import { rich, t } from './messages.ts';
import { hostName, outsideLink, strangersName } from './parts.ts';
import type { RedirectTarget } from './redirect-target.ts';

export type NothingAllowedModel = {
  clientName: string;
  server: string;
  redirect: RedirectTarget;
  /** The redirect that carries `access_denied`. Becomes a link only for web hosts. */
  returnUrl?: string | undefined;
};

/** Cancel on the consent page of an untrusted client: a page with a link instead of a redirect (AS-144). */
export function nothingAllowedPage(frame: Frame, model: NothingAllowedModel): Html {
  const { locale } = frame;
  const title = t(locale, 'nothing.title');
  const client = strangersName(model.clientName);
  const main = html`<h1>${title}</h1>
<p>${rich(locale, 'nothing.text', { client, server: html`<bdi>${model.server}</bdi>` })}</p>
${
  model.redirect.kind === 'web' && safeUrl(model.returnUrl) !== undefined
    ? outsideLink(
        model.returnUrl,
        rich(locale, 'nothing.return', { host: hostName(model.redirect) }),
        'secondary',
      )
    : html`<p>${rich(locale, 'nothing.returnApp', { client })}</p>`
}`;
  return renderPage(frame, { title, main });
}
