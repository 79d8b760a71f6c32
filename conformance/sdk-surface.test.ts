import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import * as ours from '@gatewarden/sdk';
import * as vendor from '@scalekit-sdk/node';

/** Errors of tools for agents, which are not ours, and what makes a CommonJS package a module. */
const NOT_OURS = /Tool|^default$|^__esModule$|^module\.exports$/;
const CREDENTIALS = ['https://auth.example.com', 'skc_1', 'secret'] as const;

test("everything that the vendor's package exports is exported under its name, agent tools aside", () => {
  const names = Object.keys(vendor).filter((name) => !NOT_OURS.test(name));
  assert.ok(names.length > 15, names.join());
  assert.deepEqual(
    names.filter((name) => !Object.hasOwn(ours, name)),
    [],
  );
  assert.equal(ours.Scalekit, ours.ScalekitClient);
  const values = (names: Readonly<Record<string, unknown>>): unknown =>
    Object.fromEntries(
      Object.entries(names).filter(
        ([name, value]) => Number.isNaN(Number(name)) && value !== undefined,
      ),
    );
  for (const [mine, theirs] of [
    [ours.GrantType, vendor.GrantType],
    [ours.ObjectType, vendor.ObjectType],
    [ours.Source, vendor.Source],
  ] as const)
    assert.deepEqual(values(mine), values(theirs));
});

test('both write the same addresses for browsers, to the letter', () => {
  const [theirs, mine] = [
    new vendor.ScalekitClient(...CREDENTIALS),
    new ours.Gatewarden(...CREDENTIALS),
  ];
  const all = {
    scopes: ['openid', 'offline_access'],
    state: 'a b&c=d+e/f?g#h%i',
    nonce: "n'(o)!*",
    loginHint: 'zoë+x@example.com',
    domainHint: 'example.com',
    connectionId: 'conn_1',
    organizationId: 'org_1',
    codeChallenge: 'c-_~.',
    codeChallengeMethod: 'S256',
    provider: 'google',
    prompt: 'create',
  };
  const redirect = 'https://app.example.com/cb/ü';
  for (const options of [undefined, {}, all, { state: '', scopes: [] }, { domainHint: 'a.b' }]) {
    const [a, b] = [theirs, mine].map((sdk) => new URL(sdk.getAuthorizationUrl(redirect, options)));
    assert.equal(b?.origin, a?.origin);
    const sorted = (url: URL | undefined): unknown =>
      [...(url?.searchParams ?? [])].filter(([, value]) => value !== '').sort();
    assert.deepEqual(sorted(b), sorted(a));
  }
  assert.equal(
    mine.getAuthorizationUrl(redirect, { state: all.state, nonce: all.nonce }),
    theirs.getAuthorizationUrl(redirect, { state: all.state, nonce: all.nonce }),
  );
  const out = { idTokenHint: 'a.b.c', postLogoutRedirectUri: redirect, state: all.state };
  for (const options of [undefined, {}, out, { state: 's' }])
    assert.equal(mine.getLogoutUrl(options), theirs.getLogoutUrl(options));
});

test('both take and refuse the same webhooks with the same messages, but for keys that anybody has', () => {
  const [theirs, mine] = [
    new vendor.ScalekitClient(...CREDENTIALS),
    new ours.Gatewarden(...CREDENTIALS),
  ];
  const key = Buffer.alloc(24, 9);
  const secret = `whsec_${key.toString('base64')}`;
  const now = Math.floor(Date.now() / 1000);
  const signed = (time: number | string, by: Buffer = key, text = '{}'): string =>
    `v1,${createHmac('sha256', by).update(`evt_1.${time}.${text}`).digest('base64')}`;
  const headers = (time: number | string, signature: string): Record<string, string> => ({
    'webhook-id': 'evt_1',
    'webhook-timestamp': String(time),
    'webhook-signature': signature,
  });
  const verdict = (
    sdk: Pick<ours.Gatewarden, 'verifyWebhookPayload'>,
    by: string,
    given: Record<string, string>,
  ): string => {
    try {
      return String(sdk.verifyWebhookPayload(by, given, '{}'));
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
  };
  const cases: readonly (readonly [string, Record<string, string>])[] = [
    [secret, headers(now, signed(now))],
    [secret, headers(now, `v2,x ${signed(now, Buffer.alloc(3))} ${signed(now)}`)],
    [secret, headers(now, signed(now, Buffer.alloc(24)))],
    [secret, headers(now - 301, signed(now - 301))],
    [secret, headers(now + 302, signed(now + 302))],
    [secret, headers('soon', signed('soon'))],
    [secret, {}],
    ['nothing', headers(now, signed(now))],
    [secret.slice(0, -4), headers(now, signed(now))],
  ];
  for (const [by, given] of cases)
    assert.equal(verdict(mine, by, given), verdict(theirs, by, given), JSON.stringify(given));
  assert.equal(verdict(mine, secret, headers(now, signed(now))), 'true');

  const everybodys = headers(now, signed(now, Buffer.alloc(0)));
  assert.equal(verdict(theirs, 'whsec_', everybodys), 'true');
  assert.match(verdict(mine, 'whsec_', everybodys), /Invalid secret/);
});

/** A token endpoint that always answers this. */
async function tokenEndpoint(t: TestContext, status: number, body: object): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
}

test('errors of the token endpoint have the same classes and codes of gRPC; ours name the code of OAuth and the real status', async (t) => {
  for (const [status, code] of [
    [400, 'invalid_grant'],
    [401, 'invalid_client'],
    [403, 'access_denied'],
    [404, 'x'],
    [409, 'x'],
    [429, 'slow_down'],
    [500, 'server_error'],
    [501, 'x'],
    [503, 'temporarily_unavailable'],
    [504, 'x'],
    [418, 'x'],
  ] as const) {
    const url = await tokenEndpoint(t, status, { error: code, error_description: 'why' });
    const caught = async (call: Promise<unknown>): Promise<unknown> =>
      await call.then(
        () => assert.fail(),
        (error: unknown) => error,
      );
    const theirs = await caught(
      new vendor.ScalekitClient(url, 'skc_1', 's').getClientAccessToken(),
    );
    const mine = await caught(new ours.Gatewarden(url, 'skc_1', 's').getClientAccessToken());
    assert.ok(theirs instanceof vendor.ScalekitServerException);
    assert.ok(mine instanceof ours.ScalekitServerException);
    assert.deepEqual([mine.name, mine.grpcStatus], [theirs.constructor.name, theirs.grpcStatus]);
    assert.deepEqual(mine.errDetails, theirs.errDetails);
    assert.deepEqual(
      [mine.httpStatus, mine.errorCode, mine.message],
      [status, code, `${code}: why`],
    );
  }
});
