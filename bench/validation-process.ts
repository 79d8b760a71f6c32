// Validates tokens with our library, our SDK, the vendor's SDK and jose, in turns, and tells how fast each was.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { protectMcp } from '@gatewarden/resource-server';
import { Gatewarden } from '@gatewarden/sdk';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { serveParent } from './child.ts';
import {
  ALGORITHMS,
  type Algorithm,
  RESOURCE_ID,
  SERVER_URL,
  startTokenIssuer,
  type TokenIssuer,
} from './token-issuer.ts';
import type { ValidationPlan, ValidationSample } from './validation.ts';

type Validate = (token: string) => Promise<unknown>;
type Contestant = { readonly name: string; make(issuer: TokenIssuer, alg: Algorithm): Validate };

const RULES = { audience: [RESOURCE_ID], requiredScopes: ['todo:read'] };

/** What is used of the vendor's package; it has no version for this module system. */
type Vendor = {
  readonly ScalekitClient: new (
    url: string,
    id: string,
    secret: string,
  ) => { validateToken(token: string, rules: object): Promise<unknown> };
};

async function contestants(): Promise<Contestant[]> {
  const require = createRequire(new URL('../conformance/package.json', import.meta.url));
  const path = pathToFileURL(require.resolve('@scalekit-sdk/node')).href;
  const { ScalekitClient } = (await import(path)) as Vendor;
  return [
    {
      name: '@scalekit-sdk/node validateToken',
      make({ url }) {
        const client = new ScalekitClient(url, 'skc_1', 'secret');
        return (token) => client.validateToken(token, { issuer: url, ...RULES });
      },
    },
    {
      name: 'jose jwtVerify',
      make({ url, jwks }, alg) {
        const keys = createLocalJWKSet({ keys: jwks.keys.map((key) => ({ kty: '', ...key })) });
        const rules = { issuer: url, audience: RESOURCE_ID, typ: 'at+jwt', algorithms: [alg] };
        return (token) => jwtVerify(token, keys, rules);
      },
    },
    {
      name: 'protectMcp decide',
      make({ url }, alg) {
        const guard = protectMcp({
          environmentUrl: url,
          resourceId: RESOURCE_ID,
          serverUrl: SERVER_URL,
          baseScopes: ['todo:read'],
          algorithms: [alg],
          log: () => undefined,
        });
        return async (token) => {
          const decision = await guard.decide({
            method: 'GET',
            target: '/mcp',
            header: (name) =>
              name === 'authorization'
                ? [`Bearer ${token}`]
                : name === 'host'
                  ? ['localhost:3333']
                  : [],
            hasBody: false,
            body: async () => ({ kind: 'unreadable' }),
            localAddress: undefined,
          });
          if (decision.kind !== 'allow') throw new Error(JSON.stringify(decision));
        };
      },
    },
    {
      name: '@gatewarden/sdk validateToken',
      make({ url }, alg) {
        const client = new Gatewarden(url, 'skc_1', 'secret', { algorithms: [alg] });
        return (token) => client.validateToken(token, { issuer: url, ...RULES });
      },
    },
  ];
}

/** Validates tokens, so many at once, until there are no more. A refusal ends the bench: nothing else would be comparable. */
async function timed(
  validate: Validate,
  next: () => string | undefined,
  atOnce: number,
): Promise<{ perSecond: number; cpuMicroseconds: number }> {
  let count = 0;
  const loop = async (): Promise<void> => {
    for (let token = next(); token !== undefined; token = next()) {
      await validate(token);
      count += 1;
    }
  };
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: atOnce }, loop));
  const elapsedMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: (count / elapsedMs) * 1000, cpuMicroseconds: (user + system) / count };
}

/** The same tokens again and again for a while. */
function seen(tokens: readonly string[], milliseconds: number): () => string | undefined {
  const endsAt = performance.now() + milliseconds;
  let n = 0;
  return () => {
    n += 1;
    // The clock is not asked for each token: it takes as long as a tenth of a validation.
    if (n % 64 === 0 && performance.now() > endsAt) return undefined;
    return tokens[n % tokens.length];
  };
}

function once(tokens: readonly string[]): () => string | undefined {
  const values = tokens.values();
  return () => values.next().value;
}

async function main(plan: ValidationPlan): Promise<ValidationSample[]> {
  const issuer = await startTokenIssuer();
  const all = await contestants();
  const samples: ValidationSample[] = [];
  for (const algorithm of ALGORITHMS) {
    const fresh = Array.from({ length: plan.tokens }, () => issuer.token(algorithm));
    const known = fresh.slice(0, 100);
    for (let round = -1; round < plan.rounds; round += 1) {
      const order = all.map((_, n) => all[(n + round + 1) % all.length] ?? all[0]);
      for (const contestant of order) {
        if (!contestant) continue;
        for (const atOnce of plan.atOnce) {
          // New for it, and with its keys loaded.
          const validate = contestant.make(issuer, algorithm);
          await validate(issuer.token(algorithm));
          const add = (tokens: ValidationSample['tokens'], result: object): void => {
            if (round < 0) return; // everybody has to be compiled first
            const { name } = contestant;
            const sample = { name, algorithm, tokens, atOnce, round };
            samples.push({ ...sample, ...(result as Awaited<ReturnType<typeof timed>>) });
          };
          add('new', await timed(validate, once(fresh), atOnce));
          add('seen', await timed(validate, seen(known, plan.milliseconds), atOnce));
        }
      }
    }
  }
  await issuer.close();
  return samples;
}

const plan = JSON.parse(process.argv[2] ?? '{}') as ValidationPlan; // from our own process
serveParent(await main(plan));
