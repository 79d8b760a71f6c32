import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Fault } from './fault.ts';
import { type Ending, type ReferenceServer, startReferenceServer } from './good-server.ts';
import type { Certificate } from './http.ts';

const run = promisify(execFile);

/** A certificate for 127.0.0.1 that nobody vouches for. */
async function selfSigned(): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'self-signed-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  try {
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
    ]);
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Starts the good server with one mistake in it. */
export async function startFault(t: Ending, fault: Fault): Promise<ReferenceServer> {
  return await startReferenceServer(t, {
    ...(fault.change && { change: fault.change }),
    ...(fault.names && { names: fault.names }),
    ...(fault.selfSigned && { certificate: await selfSigned() }),
  });
}
