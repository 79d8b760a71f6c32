import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engines, type TestGatewarden } from '@gatewarden/server/testing';
import { vendorSite } from './vendor-site.ts';

async function refusedAs(name: string, call: Promise<unknown>): Promise<void> {
  const error = await call.then(
    () => assert.fail(`expected ${name}`),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof Error);
  assert.equal(error.constructor.name, name, error.message);
}

/** The code of the newest mail to somebody. */
async function codeFor({ origin }: TestGatewarden, email: string): Promise<string> {
  const answer = await fetch(`${origin}/dev/mailbox.json?to=${encodeURIComponent(email)}`);
  const mails: { to: string; code?: string }[] = await answer.json();
  return mails.find(({ to }) => to === email)?.code ?? assert.fail(`no mail to ${email}`);
}

const BAD_REQUEST = 'ScalekitBadRequestException';

for (const engine of engines)
  test(`the vendor's unchanged SDK proves e-mail addresses by code (contract: PasswordlessService), ${engine}`, async (t) => {
    const { sdk, gatewarden } = await vendorSite(t, engine);
    const { passwordless } = sdk;
    const email = 'vendor@example.com';
    const sent = await passwordless.sendPasswordlessEmail(email, {
      template: 'SIGNIN',
      state: 'kept',
      expiresIn: 3600,
      magiclinkAuthUri: 'https://app.example/link',
      templateVariables: { team: 'Acme' },
    } as never);
    assert.ok(sent.authRequestId.length > 0 && sent.authRequestId.length <= 200);
    assert.equal(sent.expiresIn, 3600);
    assert.equal(typeof sent.expiresAt, 'bigint');
    assert.equal(sent.passwordlessType, 1);
    const again = await passwordless.resendPasswordlessEmail(sent.authRequestId);
    assert.equal(again.authRequestId, sent.authRequestId);
    await refusedAs(
      'ScalekitTooManyRequestsException',
      passwordless.resendPasswordlessEmail(sent.authRequestId),
    );
    await refusedAs(
      'ScalekitTooManyRequestsException',
      passwordless.sendPasswordlessEmail(email, {} as never),
    );
    await refusedAs(BAD_REQUEST, passwordless.sendPasswordlessEmail('not-an-address'));
    await refusedAs(
      'ScalekitNotFoundException',
      passwordless.resendPasswordlessEmail('unknown-request'),
    );
    const code = await codeFor(gatewarden, email);
    const wrong = code === '000000' ? '000001' : '000000';
    const verify = (typed: string) =>
      passwordless.verifyPasswordlessEmail({ code: typed }, sent.authRequestId);
    await refusedAs(BAD_REQUEST, verify(wrong));
    const proof = await verify(code);
    assert.deepEqual(
      [proof.email, proof.state, proof.template, proof.passwordlessType],
      [email, 'kept', 1, 1],
    );
    await refusedAs(BAD_REQUEST, verify(code));
    await refusedAs(
      BAD_REQUEST,
      passwordless.verifyPasswordlessEmail({ linkToken: 'nothing' }, sent.authRequestId),
    );
  });
