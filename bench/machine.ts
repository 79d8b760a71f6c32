import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

/** Where and in what company the numbers were made. */
export type Machine = {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
  readonly system: string;
  /** Of the last minute, before anything was started. */
  readonly load: number;
  /** RS256 signatures with 2048 bits that a core makes in a second: more tokens no server can sign on it. */
  readonly signaturesPerCore: number;
};

export async function describeMachine(): Promise<Machine> {
  const [load = Number.NaN] = loadavg();
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    system: `${process.platform} ${process.arch}`,
    load,
    signaturesPerCore: await signaturesPerCore(),
  };
}

async function signaturesPerCore(): Promise<number> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const key = await webcrypto.subtle.importKey(
    'pkcs8',
    privateKey.export({ format: 'der', type: 'pkcs8' }),
    algorithm,
    false,
    ['sign'],
  );
  const data = new Uint8Array(600);
  const cpu = process.cpuUsage();
  const count = 300;
  for (let n = 0; n < count; n += 1) await webcrypto.subtle.sign(algorithm, key, data);
  const { user, system } = process.cpuUsage(cpu);
  return (count / (user + system)) * 1_000_000;
}
