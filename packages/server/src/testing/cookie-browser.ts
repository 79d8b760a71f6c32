import assert from 'node:assert/strict';

/** A hosted page as a browser without scripts sees it. */
export type Page = {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
  /** `data-step` of the page's form, or `error` with the code in `error`. */
  readonly step: string | undefined;
  readonly error: string | undefined;
  /** Where the page's form posts to, with its hidden fields. */
  readonly form:
    | { readonly action: string; readonly hidden: Readonly<Record<string, string>> }
    | undefined;
};

/** Where a flow ended: at the client, whose redirect URI was not followed. */
export type Landing = { readonly location: string; readonly params: URLSearchParams };

export type CookieBrowser = {
  /** Follows redirects on our own origin; a redirect elsewhere ends the walk. */
  open(url: string): Promise<Page | Landing>;
  /** Posts the page's form with its hidden fields, as a browser does. */
  submit(
    page: Page,
    fields: Readonly<Record<string, string | readonly string[]>>,
    options?: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly action?: string;
      readonly hidden?: Readonly<Record<string, string>>;
    },
  ): Promise<Page | Landing>;
  /** One request with the jar's cookies, no redirect followed. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
  readonly cookies: Map<string, string>;
};

const MOST_REDIRECTS = 10;

/** A browser with scripts off, on real HTTP: a cookie jar for one origin, `Origin` and `Sec-Fetch-Site` on its posts. */
export function cookieBrowser(origin: string): CookieBrowser {
  const cookies = new Map<string, string>();
  const once = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (!headers.has('accept')) headers.set('accept', 'text/html,application/xhtml+xml');
    if (cookies.size > 0 && !headers.has('cookie'))
      headers.set('cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const name = pair.slice(0, pair.indexOf('='));
      const value = pair.slice(pair.indexOf('=') + 1);
      if (value === '' || /max-age=0/i.test(line)) cookies.delete(name);
      else cookies.set(name, value);
    }
    return response;
  };
  const walk = async (first: Response, from: string): Promise<Page | Landing> => {
    let response = first;
    let url = from;
    for (let hops = 0; hops < MOST_REDIRECTS; hops += 1) {
      const location = response.headers.get('location');
      if (location === null) return await pageOf(response, url);
      const next = new URL(location, url);
      await response.body?.cancel();
      if (next.origin !== new URL(origin).origin) return { location, params: next.searchParams };
      url = next.href;
      response = await once(url);
    }
    throw new Error(`more than ${MOST_REDIRECTS} redirects, last to ${url}`);
  };
  return {
    cookies,
    fetch: once,
    async open(url) {
      const absolute = new URL(url, origin).href;
      return await walk(await once(absolute), absolute);
    },
    async submit(page, fields, options = {}) {
      assert.ok(page.form, `the page at ${page.url} has no form:\n${page.html}`);
      const body = new URLSearchParams(options.hidden ?? page.form.hidden);
      for (const [name, value] of Object.entries(fields))
        for (const one of typeof value === 'string' ? [value] : value) body.append(name, one);
      const url = new URL(options.action ?? page.form.action, page.url).href;
      const headers = {
        'content-type': 'application/x-www-form-urlencoded',
        origin: new URL(origin).origin,
        'sec-fetch-site': 'same-origin',
        ...options.headers,
      };
      return await walk(await once(url, { method: 'POST', body: body.toString(), headers }), url);
    },
  };
}

/** @throws {AssertionError} the flow has left for the client */
export function asPage(seen: Page | Landing): Page {
  assert.ok(
    'html' in seen,
    `a page was expected, the flow went to ${'location' in seen ? seen.location : ''}`,
  );
  return seen;
}

/** @throws {AssertionError} the flow is still on a page of ours */
export function asLanding(seen: Page | Landing): Landing {
  assert.ok(
    'location' in seen,
    `a redirect to the client was expected, the browser is at ${'url' in seen ? `${seen.url} (${seen.status}, ${seen.step ?? seen.error})\n${seen.html}` : ''}`,
  );
  return seen;
}

async function pageOf(response: Response, url: string): Promise<Page> {
  const html = await response.text();
  const form = /<form[^>]*\bdata-step="([^"]+)"[^>]*>([\s\S]*?)<\/form>/.exec(html);
  const tag = form?.[0].slice(0, form[0].indexOf('>')) ?? '';
  const hidden: Record<string, string> = {};
  for (const [input] of (form?.[2] ?? '').matchAll(/<input\b[^>]*>/g)) {
    if (!/\btype="hidden"/.test(input)) continue;
    hidden[attribute(input, 'name') ?? ''] = attribute(input, 'value') ?? '';
  }
  const error = /<main[^>]*\bdata-error="([^"]+)"/.exec(html)?.[1];
  return {
    url,
    status: response.status,
    headers: response.headers,
    html,
    step: form?.[1],
    error,
    form: form ? { action: attribute(tag, 'action') ?? url, hidden } : undefined,
  };
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
