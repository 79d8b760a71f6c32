import type { CryptoKey } from 'jose';
import type { SigningAlgorithm } from '../algorithms.ts';

type NodeCrypto = Pick<typeof import('node:crypto'), 'verify' | 'KeyObject' | 'constants'>;
type NodeKey = import('node:crypto').KeyObject;

/** Node verifies in one synchronous call, at a third of what Web Crypto costs; other runtimes have only the latter. */
function nodeCrypto(): NodeCrypto | undefined {
  const host: { getBuiltinModule?: (id: string) => unknown } | undefined = globalThis.process;
  const module = host?.getBuiltinModule?.('node:crypto');
  const usable =
    typeof module === 'object' && module !== null && 'verify' in module && 'KeyObject' in module;
  return usable ? (module as NodeCrypto) : undefined; // node:crypto has these since Node 15
}

const node = nodeCrypto();
const nodeKeys = new WeakMap<CryptoKey, NodeKey>();

/**
 * Whether a signature fits (RFC 7515 §5.2, RFC 7518 §3.3 to §3.5, RFC 8037 §3.1). The caller has made sure that
 * the key is one for this algorithm. `undefined` where this platform has no synchronous way to tell.
 *
 * @throws {Error} the platform cannot use the key; the signature then counts as wrong
 */
export function verifySignature(
  algorithm: SigningAlgorithm,
  key: CryptoKey,
  input: string,
  signature: string,
): boolean | undefined {
  if (!node) return undefined;
  const known = nodeKeys.get(key) ?? node.KeyObject.from(key);
  nodeKeys.set(key, known);
  const digest = algorithm.startsWith('Ed') ? null : `sha${algorithm.slice(2)}`;
  return node.verify(
    digest,
    Buffer.from(input),
    withScheme(node, algorithm, known),
    Buffer.from(signature, 'base64url'),
  );
}

/** PKCS #1 v1.5 is what a bare RSA key means; everything else is said. */
function withScheme(
  { constants }: NodeCrypto,
  algorithm: SigningAlgorithm,
  key: NodeKey,
): NodeKey | { key: NodeKey; dsaEncoding: 'ieee-p1363'; padding?: number; saltLength?: number } {
  if (algorithm.startsWith('RS')) return key;
  if (!algorithm.startsWith('PS')) return { key, dsaEncoding: 'ieee-p1363' };
  return {
    key,
    dsaEncoding: 'ieee-p1363',
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  };
}
