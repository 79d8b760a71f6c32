import type { Answer, BoundedFetch } from '../runtime/bounded-fetch.ts';

/** The code of every test user (an address with `+sktest`), where test users are on. */
const testUserCode = '424242';
const mostPages = 12;

export type Walked =
  | { readonly kind: 'callback'; readonly params: URLSearchParams }
  /** Where it ended, in words for a person. */
  | { readonly kind: 'stuck'; readonly at: string };

/**
 * Signs a test user in without a browser: fills the forms of the hosted pages (which need no script) and allows
 * what is asked for, until the redirect to `redirectUri`. Never leaves the issuer's origin.
 */
export async function walkHostedPages(
  fetch: BoundedFetch,
  start: string,
  redirectUri: string,
  email: string,
): Promise<Walked> {
  const cookies = new Map<string, string>();
  const { origin } = new URL(start);
  let url = start;
  let form: URLSearchParams | undefined;
  for (let page = 0; page < mostPages; page += 1) {
    const answer = await fetch(url, {
      ...(form ? { method: 'POST', body: form.toString() } : {}),
      headers: {
        accept: 'text/html,application/xhtml+xml',
        ...(cookies.size > 0
          ? { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') }
          : {}),
        ...(form
          ? {
              'content-type': 'application/x-www-form-urlencoded',
              origin,
              'sec-fetch-site': 'same-origin',
            }
          : {}),
      },
    });
    if (answer.kind === 'none') return { kind: 'stuck', at: `${url} (${answer.code})` };
    keepCookies(cookies, answer);
    form = undefined;
    const location = answer.headers.get('location');
    if (location !== null) {
      const next = new URL(location, url);
      if (next.href.startsWith(`${redirectUri}?`))
        return { kind: 'callback', params: next.searchParams };
      if (next.origin !== origin) return { kind: 'stuck', at: `a redirect to ${next.origin}` };
      url = next.href;
      continue;
    }
    const shown = readForm(answer.text);
    const fill = shown && answers(shown.step, email, answer.text);
    if (!shown || !fill) return { kind: 'stuck', at: describe(url, answer, shown?.step) };
    form = new URLSearchParams([...shown.hidden, ...fill]);
    url = new URL(shown.action ?? url, url).href;
    if (new URL(url).origin !== origin) return { kind: 'stuck', at: 'a form of another site' };
  }
  return { kind: 'stuck', at: 'too many pages' };
}

/** What a test user does on each page, by the names that the form contract promises. */
function answers(step: string, email: string, html: string): [string, string][] | undefined {
  switch (step) {
    case 'identify':
      return [['email', email]];
    case 'email-code':
      return [
        ['code', testUserCode],
        ['action', 'verify'],
      ];
    case 'confirm-link':
      return [['action', 'sign-in']];
    case 'consent':
      return [
        ...(/<input\b[^<>]{0,1000}\bname="confirm"/.test(html)
          ? ([['confirm', 'yes']] as [string, string][])
          : []),
        ['decision', 'allow'],
      ];
    default:
      return undefined;
  }
}

/** The first form that names its step. Tags are bounded, so that no page takes longer to read than it is long. */
function readForm(
  html: string,
): { step: string; action: string | undefined; hidden: [string, string][] } | undefined {
  for (const { 0: tag, index } of html.matchAll(/<form\b[^<>]{0,1000}>/g)) {
    const step = attribute(tag, 'data-step');
    if (step === undefined || !/^[^"]{1,64}$/.test(step)) continue;
    const end = html.indexOf('</form>', index);
    if (end < 0) return undefined;
    const inner = html.slice(index + tag.length, end);
    const hidden = [...inner.matchAll(/<input\b[^<>]{0,2000}>/g)].flatMap(
      ([input]): [string, string][] => {
        const name = attribute(input, 'name');
        return name !== undefined && /\btype="hidden"/.test(input)
          ? [[name, attribute(input, 'value') ?? '']]
          : [];
      },
    );
    return { step, action: attribute(tag, 'action'), hidden };
  }
  return undefined;
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];
  return value
    ?.replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

function keepCookies(cookies: Map<string, string>, answer: Answer): void {
  for (const line of answer.headers.getSetCookie()) {
    const [, name, value] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    if (value === '' || /;\s*max-age=0/i.test(line)) cookies.delete(name);
    else cookies.set(name, value);
  }
}

function describe(url: string, answer: Answer, step: string | undefined): string {
  const error = /<main\b[^<>]{0,1000}\bdata-error="([a-z_]{1,64})"/.exec(answer.text)?.[1];
  const page = step ? `the page "${step}"` : error ? `an error page (${error})` : 'an unknown page';
  return `${page} at ${new URL(url).pathname}, status ${answer.status}`;
}
