import { readDocument } from '../document.ts';
import type { Examination } from '../examination.ts';
import { header, objectOf, parseJson } from '../http.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import { addressOf, safeAddressOf } from './authorization-server-metadata.ts';

type Key = Readonly<Record<string, unknown>>;

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi'];
const LEAST_RSA_BITS = 2048;

/** Reads the published keys; the public ones that can verify tokens come back. */
export async function examineKeys(
  examination: Examination,
  { metadata }: AuthorizationServer,
): Promise<readonly Key[]> {
  examination.begin('keys');
  const url = safeAddressOf(metadata, 'jwks_uri');
  if (!url) {
    if (!addressOf(metadata, 'jwks_uri'))
      examination.note(
        'keys',
        'The metadata names no keys: access tokens can only be checked by introspection.',
      );
    return [];
  }
  const keys = await readKeys(examination, url);
  if (!keys) return [];
  if (keys.length === 0)
    examination.find('jwks-empty', {
      message: 'The key set has no keys.',
      evidence: `${url.href}: keys is an empty array`,
      url: url.href,
    });
  for (const key of keys) checkKey(examination, key, url.href);
  return keys.filter((key) => key['kty'] !== 'oct' && key['use'] !== 'enc');
}

async function readKeys(examination: Examination, url: URL): Promise<readonly Key[] | undefined> {
  const first = await examination.send({
    method: 'GET',
    url: url.href,
    headers: { accept: 'application/json' },
  });
  if (first.kind === 'answer' && first.status >= 300 && first.status < 400) {
    const location = header(first, 'location') ?? '';
    if (URL.canParse(location, url.href) && new URL(location, url.href).host !== url.host) {
      examination.find('jwks-redirects-elsewhere', {
        message: `The key set redirects to ${new URL(location, url.href).origin}.`,
        evidence: first,
        headers: ['location'],
      });
      return undefined;
    }
  }
  const document = await readDocument(examination, url.href);
  const keys = document.kind === 'document' ? document.members['keys'] : jsonKeys(document.answer);
  if (Array.isArray(keys)) return keys.map(objectOf).filter((key) => key !== undefined);
  examination.find('jwks-missing', {
    message: 'The address in jwks_uri has no key set.',
    evidence: document.answer,
    url: url.href,
    headers: ['content-type'],
  });
  return undefined;
}

/** Some servers send keys as text or octets; verifiers do not mind. */
function jsonKeys(answer: {
  readonly kind: string;
  readonly text?: string;
  readonly status?: number;
}): unknown {
  if (answer.kind !== 'answer' || answer.status !== 200) return undefined;
  return objectOf(parseJson(answer.text ?? ''))?.['keys'];
}

/** Names members and never values: what stands there may be a secret. */
function checkKey(examination: Examination, key: Key, url: string): void {
  const name = `the key ${typeof key['kid'] === 'string' ? `"${key['kid']}"` : 'without kid'}`;
  if (key['kty'] === 'oct' || typeof key['k'] === 'string') {
    examination.find('jwks-symmetric-key', {
      message: `${name} is a shared secret (kty oct).`,
      evidence: `${url}: ${name}`,
      url,
    });
    return;
  }
  const secret = PRIVATE_MEMBERS.filter((member) => member in key);
  if (secret.length > 0)
    examination.find('jwks-private-key', {
      message: `${name} has the private members ${secret.join(', ')}.`,
      evidence: `${url}: ${name} (values not shown)`,
      url,
    });
  const bits = rsaBits(key);
  if (bits !== undefined && bits < LEAST_RSA_BITS && key['use'] !== 'enc')
    examination.find('jwks-weak-key', {
      message: `${name} has ${bits} bits.`,
      evidence: `${url}: ${name}`,
      url,
    });
}

function rsaBits(key: Key): number | undefined {
  if (key['kty'] !== 'RSA' || typeof key['n'] !== 'string') return undefined;
  const bytes = Buffer.from(key['n'], 'base64url');
  const first = bytes.findIndex((byte) => byte !== 0);
  if (first < 0) return 0;
  return (bytes.length - first) * 8 - Math.clz32(bytes[first] ?? 0) + 24;
}
