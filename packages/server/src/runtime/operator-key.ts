import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Db, sql } from '../storage/db.ts';
import { ConfigError, secretKeys } from './config.ts';
import { type Secrets, SecretUnreadable } from './secrets.ts';

const FILE = 'secret-key';
const CHECK_ROW = { table: 'deployment', environmentId: '', id: 'operator_key_check' };
const CHECK_TEXT = 'gatewarden operator key check';

/** The operator key kept in a development data folder, made at the first start. Two starting processes end with one key. */
export async function developmentKeys(
  folder: string,
  random: (bytes: number) => Uint8Array,
): Promise<Uint8Array[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, FILE);
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known !== undefined) return secretKeys(known.trim());
  const own = `${path}.${Buffer.from(random(6)).toString('hex')}`;
  await writeFile(own, `${Buffer.from(random(32)).toString('base64')}\n`, {
    mode: 0o600,
    flag: 'wx',
  });
  await chmod(own, 0o600);
  // A hard link either appears whole or fails because somebody else's is there.
  await link(own, path).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
  await rm(own);
  return secretKeys((await readFile(path, 'utf8')).trim());
}

/**
 * Proves that the configured operator key is the one that wrote this database's secrets (AS-150), before anything is served.
 *
 * @throws {ConfigError} it is another one: signing keys and secrets could not be read
 */
export async function checkOperatorKey(db: Db, secrets: Secrets, now: Date): Promise<void> {
  await db.rows(
    sql`insert into deployment (only_row, operator_key_check, created_at) values (true, ${secrets.seal('secrets-at-rest', CHECK_ROW, Buffer.from(CHECK_TEXT))}, ${now}) on conflict do nothing`,
  );
  const rows = await db.rows<{ operator_key_check: Uint8Array }>(
    sql`select operator_key_check from deployment`,
  );
  try {
    const sealed = rows[0]?.operator_key_check;
    if (
      sealed &&
      Buffer.from(secrets.open('secrets-at-rest', CHECK_ROW, sealed)).toString() === CHECK_TEXT
    )
      return;
  } catch (error) {
    if (!(error instanceof SecretUnreadable)) throw error;
  }
  throw new ConfigError(
    'GATEWARDEN_SECRET_KEY is not the key that this database was written with; add the old key behind a comma, or restore it.',
  );
}
