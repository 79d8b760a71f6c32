import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ScalekitClient } from '@scalekit-sdk/node';

/** The clients of the vendor's SDK that Gatewarden answers, and the file that each is declared in; agent tools are not ours. */
const CLIENTS = {
  organization: 'organization',
  connection: 'connection',
  domain: 'domain',
  directory: 'directory',
  passwordless: 'passwordless',
  user: 'user',
  session: 'session',
  role: 'role',
  permission: 'permission',
  auth: 'auth',
  webauthn: 'webauthn',
  token: 'token',
  m2m: 'm2mclient',
  events: 'events',
} as const;
const NOT_OURS = ['actions', 'connectedAccounts', 'tools', 'coreClient', 'grpcConnect'];

type ClientName = keyof typeof CLIENTS;
type Methods<T> = { [Name in keyof T]: T[Name] };

/**
 * The public methods of the vendor's client, whoever has them. Of a person who signed in only what both promise: the
 * vendor declares claims as present that need not be, and under names that they do not have.
 */
export type Sdk = { readonly [Name in ClientName]: Methods<ScalekitClient[Name]> } & Omit<
  Methods<ScalekitClient>,
  ClientName | 'tools' | 'connectedAccounts' | 'actions' | 'authenticateWithCode'
> & {
    authenticateWithCode(...given: Parameters<ScalekitClient['authenticateWithCode']>): Promise<{
      readonly user: { readonly id: string; readonly email?: string };
      readonly idToken: string;
      readonly accessToken: string;
      readonly refreshToken: string;
      readonly expiresIn: number;
    }>;
  };

export type MakeSdk = (url: string, id: string, secret: string) => Sdk;

/** What a call came to: `ok`, or the class of its error. */
export type Call = { readonly method: string; readonly outcome: string };

/** Every public method of the vendor's clients in scope, as `client.method`, and those of the SDK itself. */
export function vendorMethods(sdk: ScalekitClient): string[] {
  const own = methodsOf(sdk, 'scalekit');
  const others = Object.entries(CLIENTS).flatMap(([name, file]) =>
    methodsOf(Reflect.get(sdk, name), file).map((method) => `${name}.${method}`),
  );
  const known = [...Object.keys(CLIENTS), ...NOT_OURS];
  assert.deepEqual(Object.keys(sdk).sort(), known.sort(), 'the vendor has a client nobody knows');
  return [...own, ...others].sort();
}

/** What its prototype has, without what its declarations call private. */
function methodsOf(client: object, file: string): string[] {
  const lib = dirname(createRequire(import.meta.url).resolve('@scalekit-sdk/node'));
  const declared = readFileSync(join(lib, `${file}.d.ts`), 'utf8');
  const hidden = new Set(
    Array.from(declared.matchAll(/^\s*private (?:readonly )?(\w+)/gm), ([, name]) => name),
  );
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(client));
  const methods = names.filter((name) => name !== 'constructor' && !hidden.has(name));
  assert.ok(methods.length > 0, file);
  return methods;
}

/** Writes down each call of the SDK and what it came to; calls and answers pass unchanged. */
export function recorded(sdk: Sdk, calls: Call[]): Sdk {
  const clients = Object.fromEntries(
    Object.keys(CLIENTS).map((name) => [
      name,
      recordedClient(Reflect.get(sdk, name), `${name}.`, calls),
    ]),
  );
  return new Proxy(recordedClient(sdk, '', calls), {
    get: (target, name) =>
      Object.hasOwn(clients, name) ? Reflect.get(clients, name) : Reflect.get(target, name),
  });
}

function recordedClient<T extends object>(client: T, prefix: string, calls: Call[]): T {
  return new Proxy(client, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      const method = `${prefix}${String(name)}`;
      return (...parameters: unknown[]): unknown =>
        outcomeOf(() => member.apply(target, parameters), method, calls);
    },
  });
}

function outcomeOf(call: () => unknown, method: string, calls: Call[]): unknown {
  const note = (outcome: string): void => void calls.push({ method, outcome });
  const fail = (error: unknown): never => {
    note(error instanceof Error ? error.constructor.name : String(error));
    throw error;
  };
  let answer: unknown;
  try {
    answer = call();
  } catch (error) {
    return fail(error);
  }
  if (answer instanceof Promise)
    return answer.then((value: unknown) => {
      note('ok');
      return value;
    }, fail);
  note('ok');
  return answer;
}

/** A call that must be refused with an error of this class. */
export async function refused(name: string, call: Promise<unknown>): Promise<void> {
  const error: unknown = await call.then(
    () => assert.fail(`expected ${name}`),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof Error, String(error));
  assert.equal(error.constructor.name, name, error.stack);
}

export const NOT_FOUND = 'ScalekitNotFoundException';
export const BAD_REQUEST = 'ScalekitBadRequestException';
export const FORBIDDEN = 'ScalekitForbiddenException';
