import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';

/** A file the hosted pages load. Its public path holds a hash of its content, so it may be cached for ever. */
export type Asset = {
  /** `/assets/{name}.{hash}.{extension}`, below the origin of the environment. */
  path: string;
  contentType: string;
  body: Buffer;
  gzip: Buffer;
  brotli: Buffer;
};

export type AssetName =
  | 'hosted.css'
  | 'reference.css'
  | 'forms.js'
  | 'code.js'
  | 'consent.js'
  | 'icon.svg';

/** `Cache-Control` of every asset. */
export const assetCacheControl = 'public, max-age=31536000, immutable';

const contentTypes = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

const byName: Readonly<Record<AssetName, Asset>> = {
  // One file for all: each further stylesheet would be a further request before anything is painted.
  'hosted.css': asset('hosted', 'css', [
    'tokens.css',
    'hosted.css',
    'controls.css',
    'consent.css',
    'responsive.css',
  ]),
  'reference.css': asset('reference', 'css', ['tokens.css', 'api-reference.css']),
  'forms.js': asset('forms', 'js', ['forms.js']),
  'code.js': asset('code', 'js', ['code.js']),
  // The file is not called consent.js: that is what consent.ts is built to.
  'consent.js': asset('consent', 'js', ['consent-guard.js']),
  'icon.svg': asset('icon', 'svg', ['icon.svg']),
};

/** Every asset by its public path. A path that is not in here does not exist. */
export const assets: ReadonlyMap<string, Asset> = new Map(
  Object.values(byName).map((one) => [one.path, one]),
);

/** The public path of an asset. */
export function assetPath(name: AssetName): string {
  return byName[name].path;
}

function asset(
  name: string,
  extension: keyof typeof contentTypes,
  files: readonly string[],
): Asset {
  const body = Buffer.concat(files.map((file) => readFileSync(new URL(file, import.meta.url))));
  const hash = createHash('sha256').update(body).digest('base64url').slice(0, 12);
  return {
    path: `/assets/${name}.${hash}.${extension}`,
    contentType: contentTypes[extension],
    body,
    gzip: gzipSync(body, { level: 9 }),
    brotli: brotliCompressSync(body),
  };
}
