/** What a test sees of a page. */
export type Page = {
  status: number;
  headers: Headers;
  body: string;
  /** Address after redirects. */
  url: string;
  /** `data-step` of the form, `error` on an error page. */
  step: string | undefined;
  /** `data-error` of an error page. */
  error: string | undefined;
};

export type Form = { action: string; fields: Record<string, string> };

const MOST_REDIRECTS = 10;

/** A browser without scripts: keeps cookies, follows redirects, sends the headers that browsers send. */
export class TestBrowser {
  readonly cookies = new Map<string, string>();
  readonly origin: string;
  readonly headers: Record<string, string>;

  constructor(origin: string, headers: Record<string, string> = {}) {
    this.origin = origin;
    this.headers = headers;
  }

  /** One request, no redirect followed. */
  async request(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers({ accept: 'text/html', ...this.headers });
    if (this.cookies.size > 0) {
      const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      headers.set('cookie', cookie);
    }
    new Headers(init.headers).forEach((value, name) => {
      headers.set(name, value);
    });
    const url = new URL(path, this.origin);
    const response = await fetch(url, { ...init, method, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) this.store(line);
    return response;
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Page> {
    return await this.follow(path, await this.request('GET', path, { headers }));
  }

  /** As a browser posts a form of one of our pages. */
  async post(
    action: string,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Page> {
    return await this.follow(action, await this.postOnce(action, fields, headers));
  }

  async postOnce(
    action: string,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    return await this.request('POST', action, {
      body: new URLSearchParams(fields),
      headers: { origin: this.origin, 'sec-fetch-site': 'same-origin', ...headers },
    });
  }

  /** Fills in the form of a page and presses a button. */
  async submit(page: Page, fields: Record<string, string>): Promise<Page> {
    const form = formOf(page);
    return await this.post(form.action, { ...form.fields, ...fields });
  }

  private async follow(path: string, first: Response): Promise<Page> {
    let response = first;
    let url = new URL(path, this.origin);
    for (let hop = 0; response.status === 302 || response.status === 303; hop += 1) {
      if (hop >= MOST_REDIRECTS) throw new Error(`too many redirects, last to ${url.href}`);
      url = new URL(response.headers.get('location') ?? '', url);
      response = await this.request('GET', url.href);
    }
    const body = await response.text();
    const step = /data-step="([^"]+)"/.exec(body)?.[1];
    const error = /<main data-error="([^"]+)"/.exec(body)?.[1];
    const { status, headers } = response;
    return { status, headers, body, url: url.pathname, step, error };
  }

  private store(line: string): void {
    const [pair = ''] = line.split(';');
    const equals = pair.indexOf('=');
    const name = pair.slice(0, equals);
    if (/Max-Age=0\b/.test(line)) this.cookies.delete(name);
    else this.cookies.set(name, pair.slice(equals + 1));
  }
}

/** Where the page's form goes and its hidden fields. */
export function formOf(page: Page): Form {
  const form = /<form method="post" action="([^"]+)"[^>]*>([\s\S]*?)<\/form>/.exec(page.body);
  if (!form) throw new Error(`no form on ${page.url}: ${page.status} ${page.error ?? ''}`);
  const fields: Record<string, string> = {};
  for (const input of (form[2] ?? '').matchAll(
    /<input type="hidden" name="([^"]+)" value="([^"]*)">/g,
  )) {
    fields[input[1] ?? ''] = input[2] ?? '';
  }
  return { action: form[1] ?? '', fields };
}

export type MailboxEntry = {
  id: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  sentAt: string;
  code?: string;
  link?: string;
};

/** The newest mails to an address, newest first. */
export async function mailbox(origin: string, to: string): Promise<MailboxEntry[]> {
  const response = await fetch(`${origin}/dev/mailbox.json?to=${encodeURIComponent(to)}`);
  if (response.status !== 200) throw new Error(`the mailbox answered ${response.status}`);
  return (await response.json()) as MailboxEntry[]; // surface: an array of these
}

/** The code of the newest mail to an address. */
export async function newestCode(origin: string, to: string): Promise<string> {
  const [mail] = await mailbox(origin, to);
  if (mail?.code === undefined) throw new Error(`no mail with a code to ${to}`);
  return mail.code;
}

/** Six digits that are not these. */
export function wrongCode(right: string): string {
  return right === '000000' ? '000001' : '000000';
}

/** Signs in by code from the identify page on; the page after it. */
export async function signInByCode(
  browser: TestBrowser,
  identify: Page,
  email: string,
): Promise<Page> {
  const code = await browser.submit(identify, { email });
  return await browser.submit(code, {
    code: await newestCode(browser.origin, email),
    action: 'verify',
  });
}
