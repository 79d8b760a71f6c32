/** AS-81: what is decoded at all, in pixels of the source. */
const MOST_PIXELS = 4_000_000;
const SIDE = 192;

/**
 * Decodes an image that a stranger published and encodes it anew as a small PNG: nothing of the file itself is ever served.
 * Only PNG, JPEG, WebP and GIF, by their first bytes, so that no other decoder is ever asked (SVG can hold scripts).
 *
 * @returns undefined for anything else, too many pixels, or a file that does not decode
 */
export async function reencodedLogo(file: Uint8Array): Promise<Uint8Array | undefined> {
  if (!isRasterImage(file)) return undefined;
  // Loaded with the first logo: it brings a native library.
  const { default: sharp } = await import('sharp');
  try {
    const image = sharp(file, {
      limitInputPixels: MOST_PIXELS,
      failOn: 'error',
      pages: 1,
      animated: false,
    }).timeout({ seconds: 5 });
    const encoded = await image
      .resize(SIDE, SIDE, { fit: 'inside', withoutEnlargement: true })
      .png({ compressionLevel: 9 })
      .toBuffer();
    return new Uint8Array(encoded);
  } catch {
    return undefined;
  }
}

function isRasterImage(file: Uint8Array): boolean {
  const start = Buffer.from(file.subarray(0, 12)).toString('latin1');
  return (
    start.startsWith('\x89PNG\r\n\x1a\n') ||
    start.startsWith('\xff\xd8\xff') ||
    /^GIF8[79]a/.test(start) ||
    /^RIFF[\s\S]{4}WEBP$/.test(start)
  );
}
