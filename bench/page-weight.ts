import { get } from 'node:http';
import {
  cookieBrowser,
  type Landing,
  type Page,
} from '../packages/server/src/testing/cookie-browser.ts';
import { authorizeUrl, pkce, signIn } from '../packages/server/src/testing/oauth-client.ts';
import { SAME, type Target } from './target.ts';

/** First load of one hosted page in bytes: the page and everything it names, as sent to a browser that accepts gzip. */
export type PageWeight = { readonly page: string; readonly bytes: number; readonly files: number };

/** The first page of a sign-in and the consent page. */
export async function weighPages({ port, endpoints, material }: Target): Promise<PageWeight[]> {
  const origin = `http://localhost:${port}`;
  const browser = cookieBrowser(origin);
  const url = authorizeUrl(`${origin}${endpoints.token.replace(/\/oauth\/token$/, '')}`, {
    client_id: material.clientId,
    redirect_uri: SAME.redirectUri,
    scope: SAME.scopes.join(' '),
    resource: SAME.resource,
    state: 'bench',
    code_challenge: pkce().challenge,
  });
  const first = pageIn(await browser.open(url), url);
  const consent = pageIn(await signIn(browser, first, 'bench+sktest@example.com'), url);
  return [await weigh(first), await weigh(consent)];
}

function pageIn(seen: Page | Landing, url: string): Page {
  if (!('html' in seen) || !seen.step) throw new Error(`no page with a form came of ${url}`);
  return seen;
}

async function weigh({ step, html, url }: Page): Promise<PageWeight> {
  const files = new Set<string>();
  for (const [, path] of html.matchAll(/<(?:link|script|img)\b[^>]*?\b(?:href|src)="([^"]+)"/g))
    files.add(new URL(path ?? '', url).href);
  let bytes = Buffer.byteLength(html);
  for (const file of files) bytes += await sizeOf(file);
  return { page: step ?? '', bytes, files: files.size + 1 };
}

/** Of the body as it travels. */
async function sizeOf(url: string): Promise<number> {
  return await new Promise((done, fail) => {
    const asked = get(url, { headers: { 'accept-encoding': 'gzip' } }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on('end', () =>
        response.statusCode === 200
          ? done(bytes)
          : fail(new Error(`${url} answers ${response.statusCode}`)),
      );
    });
    asked.on('error', fail);
  });
}
