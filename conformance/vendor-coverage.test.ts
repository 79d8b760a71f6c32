import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Gatewarden } from '@gatewarden/sdk';
import { type Engine, engines, startTestGatewarden } from '@gatewarden/server/testing';
import { ScalekitClient } from '@scalekit-sdk/node';
import { type Call, type MakeSdk, recorded, vendorMethods } from './vendor-recorder.ts';
import {
  apiKeys,
  domains,
  events,
  farewell,
  machines,
  organizations,
  permissions,
  roles,
  type Story,
} from './vendor-story.ts';
import {
  connections,
  directories,
  loginFromProvider,
  receiving,
} from './vendor-story-enterprise.ts';
import {
  memberships,
  ownLogin,
  passkeys,
  passwordless,
  people,
  signIn,
} from './vendor-story-people.ts';

const SDKS: Readonly<Record<string, MakeSdk>> = {
  vendor: (url, id, secret) => new ScalekitClient(url, id, secret),
  ours: (url, id, secret) => new Gatewarden(url, id, secret),
};

/** They only write an address, or answer false; the story looks at what they say. */
const NEVER_FAIL = ['getAuthorizationUrl', 'getLogoutUrl', 'validateAccessToken'];
/** The vendor throws what its HTTP library threw, with the request in it; ours are of the same kind as everywhere. */
const OWN_ERRORS = ['authenticateWithCode', 'refreshAccessToken'];

/** An application's life with one customer: every method once as it should be, and once refused. */
async function live(t: TestContext, engine: Engine, make: MakeSdk): Promise<Call[]> {
  const gatewarden = await startTestGatewarden(t, { engine });
  const { id, secret = '' } = gatewarden.client;
  const calls: Call[] = [];
  const makeSdk: MakeSdk = (...given) => recorded(make(...given), calls);
  const sdk = makeSdk(gatewarden.url, id, secret);
  const nobody = 'org_999999999999999';
  const story: Story = { gatewarden, makeSdk, sdk, nobody, acme: '', ann: '' };
  story.acme = await organizations(story);
  await domains(story);
  await permissions(story);
  await roles(story);
  story.ann = await people(story);
  await memberships(story);
  await machines(story);
  await apiKeys(story);
  await directories(story);
  await connections(story);
  await signIn(story);
  await loginFromProvider(story);
  await passkeys(story);
  await passwordless(story);
  await receiving(story);
  await ownLogin(story);
  await events(story);
  await farewell(story);
  return calls;
}

function methodsWith(calls: readonly Call[], ok: boolean): string[] {
  const found = calls.filter(({ outcome }) => (outcome === 'ok') === ok);
  return [...new Set(found.map(({ method }) => method))].sort();
}

/** As text, so that a difference between two lives can be read. */
function outcomes(calls: readonly Call[]): string[] {
  return calls.map(({ method, outcome }) =>
    OWN_ERRORS.includes(method) && outcome !== 'ok'
      ? `${method}: refused`
      : `${method}: ${outcome}`,
  );
}

for (const engine of engines)
  test(`every method of the vendor's unchanged SDK does what it says and is refused as it says, and ours does both in the same way (contract), ${engine}`, async (t) => {
    const vendors = await live(t, engine, SDKS['vendor'] ?? assert.fail());
    const mine = await live(t, engine, SDKS['ours'] ?? assert.fail());
    const all = vendorMethods(new ScalekitClient('https://auth.example.com', 'skc_1', 's'));
    const without = (names: readonly string[]): string[] =>
      all.filter((name) => !names.includes(name));
    assert.ok(all.length > 100, `${all.length} methods`);
    assert.deepEqual(methodsWith(vendors, true), all, 'called with success');
    assert.deepEqual(methodsWith(vendors, false), without(NEVER_FAIL), 'called and refused');
    assert.deepEqual(outcomes(mine), outcomes(vendors), 'both SDKs come to the same');
  });
