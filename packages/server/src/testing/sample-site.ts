import { createServer, type IncomingMessage } from 'node:http';
import { assetCacheControl, assets } from '../pages/assets.ts';
import type { Html } from '../pages/html.ts';

/** The Content-Security-Policy of sign-in and consent pages (AS-129). */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "object-src 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

export type SampleSite = {
  origin: string;
  /** Bodies of the forms posted so far. */
  posts: URLSearchParams[];
  close: () => Promise<void>;
};

/** Serves pages by name on loopback under the strict policy, without any flow behind: for browser tests and pictures. */
export async function startSampleSite(pages: Readonly<Record<string, Html>>): Promise<SampleSite> {
  const posts: URLSearchParams[] = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const asset = assets.get(path);
    const page = pages[path.slice(1)];
    if (request.method === 'POST') {
      readBody(request).then(
        (body) => {
          posts.push(new URLSearchParams(body));
          response.writeHead(303, { location: '/posted' }).end();
        },
        () => response.destroy(),
      );
    } else if (asset !== undefined) {
      response.writeHead(200, {
        'content-type': asset.contentType,
        'cache-control': assetCacheControl,
      });
      response.end(asset.body);
    } else if (page !== undefined) {
      response.writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': policy,
      });
      response.end(page.toString());
    } else {
      response
        .writeHead(path === '/posted' ? 200 : 404, { 'content-type': 'text/plain' })
        .end(path);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was bound');
  const close = (): Promise<void> => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return { origin: `http://localhost:${address.port}`, posts, close };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}
