import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { promisify } from 'node:util';
import type { Certificate } from './http.ts';

const run = promisify(execFile);

/** A certificate for 127.0.0.1 and the names below example.test that nobody vouches for. */
export async function selfSignedCertificate(): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'certificate-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  try {
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1,DNS:*.example.test'],
      ...['-keyout', key, '-out', cert],
    ]);
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

let trusted: Promise<Certificate> | undefined;

/** One that this process trusts from now on, so that https is what it is on the internet. */
export async function trustedCertificate(): Promise<Certificate> {
  trusted ??= selfSignedCertificate().then((certificate) => {
    setDefaultCACertificates([...getCACertificates('default'), certificate.cert]);
    return certificate;
  });
  return await trusted;
}
