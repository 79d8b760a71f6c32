import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { Gatewarden, WebhookVerificationError } from '../src/index.ts';
import { refusal } from './sdk-site.ts';

const now = new Date('2026-11-21T12:00:00Z');
const sdk = new Gatewarden('https://auth.example.com', 'skc_1', 's', { now: () => now });
const key = Buffer.from('0123456789abcdef0123456789abcdef');
const secret = `whsec_${key.toString('base64')}`;
const body = '{"type":"user.login","data":{"name":"Zoë"}}';
const seconds = Math.floor(now.getTime() / 1000);

function signature(id: string, timestamp: number | string, text: string, by: Buffer = key): string {
  return `v1,${createHmac('sha256', by).update(`${id}.${timestamp}.${text}`).digest('base64')}`;
}

function headers(changes: Record<string, string | undefined> = {}): Record<string, string> {
  const all = {
    'webhook-id': 'evt_1',
    'webhook-timestamp': String(seconds),
    'webhook-signature': signature('evt_1', seconds, body),
    ...changes,
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

async function accepted(
  given: Parameters<Gatewarden['verifyWebhook']>[1],
  text: string | Uint8Array = body,
  by = secret,
): Promise<void> {
  assert.equal(sdk.verifyWebhookPayload(by, given, text), true);
  assert.equal(await sdk.verifyWebhook(by, given, text), true);
}

async function refused(
  given: Record<string, string>,
  message: RegExp,
  text: string | Uint8Array = body,
  by = secret,
): Promise<void> {
  const isRefusal = (error: unknown): boolean =>
    error instanceof WebhookVerificationError && message.test(error.message);
  assert.throws(() => sdk.verifyWebhookPayload(by, given, text), isRefusal);
  const later = await refusal(sdk.verifyWebhook(by, given, text));
  assert.ok(isRefusal(later), later.message);
}

test('a webhook passes in every form that servers have headers and bodies in (contract section 10)', async () => {
  await accepted(headers());
  await accepted(new Headers(headers()));
  await accepted(headers(), Buffer.from(body));
  await accepted({ ...headers(), 'webhook-id': ['evt_1'] });
  const { 'webhook-id': id = '', ...rest } = headers();
  await accepted({ ...rest, 'Webhook-Id': id });
});

test('while a secret is replaced one of several signatures is enough, and unknown versions do no harm', async () => {
  const old = Buffer.alloc(32, 7);
  const both = `${signature('evt_1', seconds, body, old)} ${signature('evt_1', seconds, body)}`;
  await accepted(headers({ 'webhook-signature': `v2,abc v1 v1, ${both}` }));
  await accepted(headers({ 'webhook-signature': both }), body, `whsec_${old.toString('base64')}`);
  await accepted(headers(), body, secret.replace(/=+$/, ''));
});

test('a forged, changed or cut webhook is refused', async () => {
  const wrong: readonly [Record<string, string>, string?][] = [
    [headers(), `${body} `],
    [headers({ 'webhook-id': 'evt_2' })],
    [headers({ 'webhook-timestamp': String(seconds + 1) })],
    [headers({ 'webhook-signature': signature('evt_1', seconds, body, Buffer.alloc(32, 1)) })],
    [headers({ 'webhook-signature': signature('evt_1', seconds, body).slice(0, -12) })],
    [headers({ 'webhook-signature': signature('evt_1', seconds, body).replace('v1', 'v1a') })],
    [headers({ 'webhook-signature': 'v1,' })],
    [headers({ 'webhook-signature': 'v1,*** v1,AAAA' })],
  ];
  for (const [given, text] of wrong) await refused(given, /^Invalid Signature$/, text);
  for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature'])
    await refused(headers({ [name]: undefined }), /Missing required headers/);
  const twice = { ...headers(), 'Webhook-Id': 'evt_2' };
  await refused(twice, /Missing required headers/);
});

test('a webhook that is replayed after five minutes, or is dated ahead of them, is refused', async () => {
  const at = (shift: number): Record<string, string> =>
    headers({
      'webhook-timestamp': String(seconds + shift),
      'webhook-signature': signature('evt_1', seconds + shift, body),
    });
  await accepted(at(-300));
  await accepted(at(300));
  await refused(at(-301), /too old/);
  await refused(at(301), /too new/);
  for (const timestamp of ['', '1e9', '-5', '0x65', ' 1', '1'.repeat(13)])
    await refused(headers({ 'webhook-timestamp': timestamp }), /Headers|headers/);
});

test('a secret without a key verifies nothing: its signatures anybody could make', async () => {
  for (const by of ['', 'whsec', 'whsec_', 'whsec_ ', 'whsec__', 'whsec_%%%']) {
    const empty = headers({
      'webhook-signature': signature('evt_1', seconds, body, Buffer.alloc(0)),
    });
    await refused(empty, /Invalid secret/, body, by);
  }
});

test('a webhook is no call of an interceptor, and the other way round', async () => {
  const interceptor = Object.fromEntries(
    Object.entries(headers()).map(([name, value]) => [
      name.replace('webhook', 'interceptor'),
      value,
    ]),
  );
  assert.equal(sdk.verifyInterceptorPayload(secret, interceptor, body), true);
  assert.equal(await sdk.verifyInterceptor(secret, interceptor, body), true);
  assert.throws(() => sdk.verifyInterceptorPayload(secret, headers(), body), /Missing/);
  await refused(interceptor, /Missing/);
});
