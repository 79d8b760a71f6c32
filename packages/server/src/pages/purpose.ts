import { type Html, html } from './html.ts';
import { type Locale, rich, t } from './messages.ts';
import { cleanName, destination, strangersName } from './parts.ts';
import type { RedirectTarget } from './redirect-target.ts';

/** Where the person is going: to an application, or to let an MCP client use a server. */
export type Purpose =
  | { kind: 'app'; app: string }
  | {
      kind: 'mcp';
      server: string;
      client: {
        name: string;
        /** True only on the green trust levels of the consent page. */
        verified: boolean;
        redirect: RedirectTarget;
      };
    };

/** What the person signs in to: the application, or the MCP server. */
export function signInTo(purpose: Purpose): string {
  return purpose.kind === 'app' ? purpose.app : purpose.server;
}

/** The name after "to continue to": the application, or the MCP client. */
export function goal(purpose: Purpose): string {
  return purpose.kind === 'app' ? purpose.app : cleanName(purpose.client.name);
}

/**
 * Says under the title who brought the person here. An unverified client and the host it sends people to
 * are named before anything is typed, so that a phished person sees them twice (AS-126).
 */
export function purposeLine(locale: Locale, purpose: Purpose): Html | false {
  if (purpose.kind === 'app') return false;
  const { client, server } = purpose;
  const name = strangersName(client.name);
  if (client.verified)
    return html`<p class="context">${rich(locale, 'purpose.connect', { client: name })}</p>`;
  const host = destination(locale, client.redirect, client.name);
  return html`<p class="context unverified">${rich(locale, 'purpose.unverified', { client: html`<strong>${name}</strong>`, server })}. ${rich(
    locale,
    'purpose.sentTo',
    { host },
  )}</p>`;
}

/** "to continue to …", for the steps after the first. */
export function continueLine(locale: Locale, purpose: Purpose): Html {
  if (purpose.kind === 'mcp' && !purpose.client.verified)
    return html`${purposeLine(locale, purpose)}`;
  return html`<p class="context">${t(locale, 'purpose.continue', { goal: goal(purpose) })}</p>`;
}
