import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import {
  ConfigurationError,
  Gatewarden,
  ScalekitBadRequestException,
  ScalekitCancelledException,
  ScalekitException,
  ScalekitGatewayTimeoutException,
  ScalekitNotFoundException,
  ScalekitServerException,
  ScalekitServiceUnavailableException,
  ScalekitTooManyRequestsException,
  ScalekitUnauthorizedException,
} from '../src/index.ts';
import { badGateway, refusal, sdkSite } from './sdk-site.ts';

const cleanups: (() => Promise<void>)[] = [];
let site: Awaited<ReturnType<typeof sdkSite>>;
let acme: string;
before(async () => {
  site = await sdkSite({ after: (work) => void cleanups.push(work) });
  const { sdk } = site.client();
  const { organization } = await sdk.organization.createOrganization('Acme');
  acme = organization?.id ?? '';
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const calls = (paths: readonly string[]): number =>
  paths.filter((path) => path.startsWith('/scalekit.v1.')).length;

test('a hundred first calls at the same time fetch one token, and later ones none', async () => {
  const { sdk, net } = site.client();
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => sdk.organization.getOrganization(acme)),
  );
  assert.ok(answers.every(({ organization }) => organization?.displayName === 'Acme'));
  await sdk.organization.listOrganization({ pageSize: 1 });
  assert.equal(net.tokens(), 1);
});

test('a token that the server no longer takes is renewed once for all calls that met it', async () => {
  const { sdk, net } = site.client({ now: () => new Date() });
  await sdk.organization.getOrganization(acme);
  site.gatewarden.clock.advance({ days: 2 });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => sdk.organization.getOrganization(acme)),
  );
  assert.equal(answers.length, 20);
  assert.equal(net.tokens(), 2);
});

test('a refusal that arrives after the renewal does not throw the new token away', async () => {
  const { sdk, net } = site.client({ now: () => new Date() });
  await sdk.organization.getOrganization(acme);
  site.gatewarden.clock.advance({ days: 2 });
  const gate = Promise.withResolvers<undefined>();
  let calls = 0;
  net.fault = async (path, init) => {
    calls += 1;
    if (calls > 1) return undefined;
    const late = await fetch(`${site.gatewarden.url}${path}`, init);
    await gate.promise;
    return late;
  };
  const slow = sdk.organization.getOrganization(acme);
  await sdk.organization.getOrganization(acme);
  gate.resolve(undefined);
  assert.equal((await slow).organization?.id, acme);
  assert.equal(net.tokens(), 2);
});

test('a token is renewed before it ends, so that no call is refused for it', async () => {
  const { sdk, net } = site.client();
  await sdk.organization.getOrganization(acme);
  site.gatewarden.clock.advance({ days: 2 });
  await sdk.organization.getOrganization(acme);
  assert.deepEqual([net.tokens(), calls(net.paths)], [2, 2]);
});

test('a wrong secret is an error of its own after one attempt, and no error or client shows the secret', async () => {
  const { sdk, net } = site.client({}, 'test_a-secret-of-somebody-else');
  const error = await refusal(sdk.organization.getOrganization(acme));
  assert.ok(error instanceof ScalekitUnauthorizedException);
  assert.deepEqual(
    [error.name, error.errorCode, error.httpStatus, error.grpcStatus],
    ['ScalekitUnauthorizedException', 'invalid_client', 401, 16],
  );
  assert.deepEqual([net.tokens(), calls(net.paths)], [1, 0]);
  const shown = inspect([error, sdk], { depth: 10, showHidden: true }) + JSON.stringify(error);
  assert.doesNotMatch(shown, /a-secret-of-somebody-else/);
  for (const call of [
    sdk.getClientAccessToken(),
    sdk.generateClientToken(site.gatewarden.client.id, 'test_x'),
  ])
    assert.ok((await refusal(call)) instanceof ScalekitUnauthorizedException);
});

test('a token that is refused although it is new is not fetched without end', async () => {
  const { sdk, net } = site.client();
  net.fault = (path) =>
    path === '/oauth/token'
      ? Response.json({ access_token: `other-${net.paths.length}`, expires_in: 60 })
      : undefined;
  const error = await refusal(sdk.organization.getOrganization(acme));
  assert.ok(error instanceof ScalekitUnauthorizedException);
  assert.equal(error.errorCode, 'UNAUTHENTICATED');
  assert.deepEqual([net.tokens(), calls(net.paths)], [2, 2]);
});

test('refusals have the classes, codes and details that the server gave them', async () => {
  const { sdk } = site.client();
  const missing = await refusal(sdk.organization.getOrganization('org_999999999999999'));
  assert.ok(missing instanceof ScalekitNotFoundException);
  assert.ok(missing instanceof ScalekitServerException && missing instanceof ScalekitException);
  assert.match(missing.message, /^\[not_found\] /);
  assert.deepEqual([missing.name, missing.httpStatus], ['ScalekitNotFoundException', 404]);
  assert.equal(missing.unpackedDetails[0]?.errorCode, missing.errorCode);

  const invalid = await refusal(sdk.organization.createOrganization(''));
  assert.ok(invalid instanceof ScalekitBadRequestException);
  const violations = invalid.unpackedDetails[0]?.validationErrorInfo?.fieldViolations ?? [];
  assert.match(violations[0]?.field ?? '', /display_name/);
});

test('what reads is repeated while the server is unavailable, with a new wait each time', async () => {
  const { sdk, net } = site.client();
  await sdk.organization.getOrganization(acme);
  const faults: readonly (() => Response)[] = [
    () => badGateway(503),
    () => badGateway(502),
    () => {
      throw new TypeError('fetch failed');
    },
  ];
  let met = 0;
  net.fault = () => faults[met++]?.();
  net.paths.length = 0;
  const { organization } = await sdk.organization.getOrganization(acme);
  assert.deepEqual([organization?.id, calls(net.paths)], [acme, 4]);

  net.fault = () => badGateway();
  net.paths.length = 0;
  const error = await refusal(sdk.organization.listOrganization());
  assert.ok(error instanceof ScalekitServiceUnavailableException);
  assert.equal(calls(net.paths), 4);
});

test('what creates is not repeated: nobody knows what became of it', async () => {
  const { sdk, net } = site.client();
  await sdk.organization.getOrganization(acme);
  net.fault = (path) => (path.endsWith('/CreateOrganization') ? badGateway() : undefined);
  net.paths.length = 0;
  const error = await refusal(sdk.organization.createOrganization('Twice'));
  assert.ok(error instanceof ScalekitServiceUnavailableException);
  assert.equal(calls(net.paths), 1);
  const { organizations } = await sdk.organization.searchOrganization('Twice');
  assert.deepEqual(organizations, []);
});

test('a token endpoint that is unavailable is asked again for a call of any kind: none of it was sent', async () => {
  const { sdk, net } = site.client();
  let met = 0;
  net.fault = (path) => (path === '/oauth/token' && met++ < 2 ? badGateway() : undefined);
  const made = await sdk.organization.createOrganization('After a while');
  assert.ok(made.organization?.id);
  assert.deepEqual([net.tokens(), calls(net.paths)], [3, 1]);
});

test('a limit that was exceeded is told at once', async () => {
  const { sdk, net } = site.client();
  await sdk.organization.getOrganization(acme);
  const body = { code: 'resource_exhausted', message: 'too many calls' };
  net.fault = () => Response.json(body, { status: 429 });
  net.paths.length = 0;
  const error = await refusal(sdk.organization.getOrganization(acme));
  assert.ok(error instanceof ScalekitTooManyRequestsException);
  assert.equal(net.paths.length, 1);
});

/** As the network does when nobody answers: the request ends with its signal. */
function silence(_path: string, init: RequestInit): Promise<Response> {
  return new Promise((_resolve, reject) => {
    init.signal?.addEventListener('abort', () => reject(init.signal?.reason), { once: true });
  });
}

test('a server that does not answer costs no more than the time limit, of the client or of the call', async () => {
  const { sdk, net } = site.client({ timeoutMs: 50 });
  net.fault = silence;
  const first = await refusal(sdk.organization.getOrganization(acme));
  assert.ok(first instanceof ScalekitGatewayTimeoutException, String(first));
  net.fault = () => undefined;
  await sdk.organization.getOrganization(acme);
  net.fault = silence;
  const second = await refusal(sdk.organization.getOrganization(acme, { timeoutMs: 20 }));
  assert.ok(second instanceof ScalekitGatewayTimeoutException);
  assert.deepEqual([second.httpStatus, second.grpcStatus], [504, 4]);
  const third = await refusal(sdk.organization.getOrganization(acme));
  assert.ok(third instanceof ScalekitGatewayTimeoutException);
});

test('an aborted call ends at once: before it, on its way, and between two attempts', async () => {
  const { sdk, net } = site.client({ firstWaitMs: 60_000 });
  const before = await refusal(
    sdk.organization.getOrganization(acme, { signal: AbortSignal.abort() }),
  );
  assert.ok(before instanceof ScalekitCancelledException);
  assert.deepEqual(net.paths, [], 'nothing was sent for it');
  await sdk.organization.getOrganization(acme);
  for (const fault of [silence, () => badGateway()]) {
    net.fault = fault;
    const stop = new AbortController();
    const call = sdk.organization.listOrganization({ pageSize: 1 }, { signal: stop.signal });
    setTimeout(() => stop.abort(), 20);
    const error = await refusal(call);
    assert.ok(error instanceof ScalekitCancelledException, String(error));
  }
});

test('who gives up waiting for a token takes it from nobody else', async () => {
  const { sdk, net } = site.client();
  const gate = Promise.withResolvers<undefined>();
  net.fault = (path) => (path === '/oauth/token' ? gate.promise : undefined);
  const stop = new AbortController();
  const given = refusal(sdk.organization.getOrganization(acme, { signal: stop.signal }));
  const kept = sdk.organization.getOrganization(acme);
  stop.abort();
  assert.ok((await given) instanceof ScalekitCancelledException);
  gate.resolve(undefined);
  assert.equal((await kept).organization?.id, acme);
  assert.equal(net.tokens(), 1);
});

test('a redirect takes neither the secret nor the token to another server', async (t) => {
  const seen: string[] = [];
  const thief = createServer((request, response) => {
    seen.push(request.url ?? '');
    response.end('{}');
  });
  await new Promise<void>((done) => thief.listen(0, '127.0.0.1', done));
  t.after(() => thief.close());
  const address = thief.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const mover = createServer((_request, response) => {
    response.writeHead(307, { location: `http://127.0.0.1:${port}/taken` }).end();
  });
  await new Promise<void>((done) => mover.listen(0, '127.0.0.1', done));
  t.after(() => mover.close());
  const moved = mover.address();
  const url = `http://127.0.0.1:${typeof moved === 'object' && moved ? moved.port : 0}`;

  assert.ok(
    (await refusal(new Gatewarden(url, 'skc_1', 's').getClientAccessToken())) instanceof Error,
  );
  const { net } = site.client();
  net.fault = (path) =>
    path === '/oauth/token' ? Response.json({ access_token: 'a', expires_in: 60 }) : undefined;
  const sdk = new Gatewarden(url, 'skc_1', 's', { fetch: net.fetch, retries: 0 });
  assert.ok(
    (await refusal(sdk.organization.getOrganization(acme))) instanceof ScalekitServerException,
  );
  assert.deepEqual(seen, []);
});

test('a client without credentials validates tokens, and says what is missing when it is to call', async () => {
  const sdk = new Gatewarden(site.gatewarden.url);
  assert.equal(await sdk.validateAccessToken('x'), false);
  const error = await refusal(sdk.organization.getOrganization(acme));
  assert.ok(error instanceof ScalekitException);
  assert.match(error.message, /clientId/);
  const half = new Gatewarden(site.gatewarden.url, 'skc_1');
  assert.match((await refusal(half.user.listUsers())).message, /clientSecret/);
});

test('times and numbers that cannot be meant make no client', () => {
  const wrong = [{ timeoutMs: 0 }, { timeoutMs: Number.NaN }, { retries: -1 }, { firstWaitMs: -5 }];
  for (const options of wrong)
    assert.throws(
      () => new Gatewarden('https://auth.example.com', 'skc_1', 's', options),
      (error) => error instanceof ConfigurationError && error.code === 'invalid_option',
    );
});
