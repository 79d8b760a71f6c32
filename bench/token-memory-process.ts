// Shows a guard very many tokens and tells how much memory it then holds.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type McpGuard, protectMcp } from '@gatewarden/resource-server';
import { serveParent } from './child.ts';
import { RESOURCE_ID, SERVER_URL, startTokenIssuer } from './token-issuer.ts';
import type { MemoryPlan, TokenMemory } from './token-memory.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes that are still referred to. Twice, since what is finalised in the first is freed in the second. */
function heldBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function show(guard: McpGuard, token: string, accepted: boolean): Promise<void> {
  const decision = await guard.decide({
    method: 'GET',
    target: '/mcp',
    header: (name) =>
      name === 'authorization' ? [`Bearer ${token}`] : name === 'host' ? ['localhost:3333'] : [],
    hasBody: false,
    body: async () => ({ kind: 'unreadable' }),
    localAddress: undefined,
  });
  if ((decision.kind === 'allow') !== accepted) throw new Error(JSON.stringify(decision));
}

async function main(plan: MemoryPlan): Promise<TokenMemory> {
  const issuer = await startTokenIssuer();
  const guard = protectMcp({
    environmentUrl: issuer.url,
    resourceId: RESOURCE_ID,
    serverUrl: SERVER_URL,
    algorithms: ['ES256'],
    log: () => undefined,
  });
  for (let n = 0; n < 500; n += 1) await show(guard, issuer.token('ES256', { jti: 'one' }), true);
  const before = heldBytes();
  const afterTokens: { tokens: number; bytes: number }[] = [];
  for (let n = 1; n <= plan.tokens; n += 1) {
    await show(guard, issuer.token('ES256'), true);
    if (n % (plan.tokens / 10) === 0) afterTokens.push({ tokens: n, bytes: heldBytes() - before });
  }
  const full = heldBytes();
  const forged = forgeries(issuer.token('ES256'), issuer.url);
  for (let n = 0; n < plan.garbage; n += 1) await show(guard, forged(n), false);
  const garbageBytes = heldBytes() - full;
  guard.close();
  await issuer.close();
  return { afterTokens, garbage: plan.garbage, garbageBytes };
}

/** What floods consist of: noise, altered tokens, key ids nobody has, signatures of a stranger. */
function forgeries(valid: string, url: string): (n: number) => string {
  const [header = '', payload = '', signature = ''] = valid.split('.');
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object; // made above
  const { x } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  return (n) => {
    switch (n % 4) {
      case 0:
        return randomBytes(450).toString('base64url');
      case 1:
        return `${header}.${part({ ...claims, jti: `tkn_${n}` })}.${signature}`;
      case 2:
        return `${part({ alg: 'ES256', typ: 'at+jwt', kid: `snk_${n}${x}` })}.${payload}.${signature}`;
      default:
        return `${header}.${part({ ...claims, iss: `${url}/${n}` })}.${signature}`;
    }
  };
}

const plan = JSON.parse(process.argv[2] ?? '{}') as MemoryPlan; // from our own process
serveParent(await main(plan));
