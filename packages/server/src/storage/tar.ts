import { createReadStream } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, normalize, sep } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';

const BLOCK = 512;

/** Unpacks a ustar archive, gzipped when its name says so, into a new folder: either all of it is there or nothing. */
export async function unpack(archive: string, folder: string): Promise<void> {
  const file = createReadStream(archive);
  const bytes = await buffer(archive.endsWith('.gz') ? file.pipe(createGunzip()) : file);
  const unfinished = `${folder}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  for (let at = 0; bytes[at] !== 0; ) {
    const size = Number.parseInt(field(bytes, at + 124, 12), 8);
    const target = inside(unfinished, join(field(bytes, at + 345, 155), field(bytes, at, 100)));
    const start = at + BLOCK;
    // Its end is marked by empty blocks; a member without a size fails here too.
    if (!(start + size < bytes.length))
      throw new Error(`the archive ends in the middle: ${archive}`);
    if (bytes[at + 156] === '5'.charCodeAt(0)) {
      await mkdir(target, { recursive: true, mode: 0o700 });
    } else {
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await writeFile(target, bytes.subarray(start, start + size), { mode: 0o600 });
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  await rename(unfinished, folder);
}

function field(bytes: Buffer, at: number, length: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString('utf8', at, end === -1 ? at + length : Math.min(end, at + length)).trim();
}

function inside(folder: string, name: string): string {
  const path = normalize(join(folder, name));
  if (path !== folder && !path.startsWith(folder + sep))
    throw new Error(`archive member outside of its folder: ${name}`);
  return path;
}
