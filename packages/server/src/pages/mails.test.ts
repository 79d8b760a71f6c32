import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConnectedMail, connectedMail, type SignInMail, signInMail } from './mails.ts';

const signIn: SignInMail = {
  locale: 'en',
  app: 'Acme Calendar',
  code: '481220',
  link: 'https://auth.acme.example/link?token=abc&request=req_1',
  minutes: 10,
  requester: { device: 'Firefox on Windows', place: 'Lisbon, Portugal' },
  reference: 'req_8f3k2m9x4c',
};

const connected: ConnectedMail = {
  locale: 'en',
  clientName: 'Planner',
  server: 'Acme Calendar',
  redirect: { kind: 'web', host: 'connect.planner.example', domain: 'planner.example' },
  email: 'ana@example.com',
  permissions: ['Your calendars and events'],
  time: new Date('2026-11-21T11:30:00Z'),
  removeUrl: 'https://auth.acme.example/account',
  reference: 'req_8f3k2m9x4c',
};

test('mails: the code opens the subject, and both parts hold code, link, device and reference (hosted-pages 3.12)', () => {
  const mail = signInMail(signIn);
  assert.equal(mail.subject, '481220 is your code for Acme Calendar');
  assert.match(mail.text, /^ {4}481220$/m);
  assert.match(mail.text, /^https:\/\/auth\.acme\.example\/link\?token=abc&request=req_1$/m);
  assert.match(mail.html, /<p class="code">481 220<\/p>/);
  assert.match(
    mail.html,
    /href="https:\/\/auth\.acme\.example\/link\?token=abc&amp;request=req_1"/,
  );
  for (const part of [mail.text, mail.html]) {
    assert.match(part, /Asked for on Firefox on Windows, near Lisbon, Portugal\./);
    assert.match(part, /req_8f3k2m9x4c/);
    assert.match(part, /It works for 10 minutes\./);
  }
  assert.doesNotMatch(signInMail({ ...signIn, link: undefined }).html, /<a /);
});

test('mails: a new connection names client, host, permissions and the way to remove it (AS-154)', () => {
  const mail = connectedMail(connected);
  assert.equal(mail.subject, 'Planner was connected to Acme Calendar');
  for (const part of [mail.text, mail.html]) {
    assert.match(
      part,
      /On 2026-11-21 11:30 UTC this app got access to Acme Calendar in your name \(ana@example\.com\)\./,
    );
    assert.match(part, /connect\.planner\.example/);
    assert.match(part, /Your calendars and events/);
    assert.match(part, /https:\/\/auth\.acme\.example\/account/);
  }
  assert.match(
    connectedMail({ ...connected, removeUrl: undefined }).text,
    /tell the people who run Acme Calendar now/,
  );
});

test('mails: a name cannot add a header line, markup or a script link (header and HTML injection)', () => {
  const attack = 'x\r\nBcc: all@evil.example\r\n\r\n"><script>alert(1)</script>';
  const mails = [
    signInMail({
      ...signIn,
      app: attack,
      link: 'javascript:alert(1)',
      requester: { device: attack, place: attack },
    }),
    connectedMail({
      ...connected,
      clientName: attack,
      server: attack,
      permissions: [attack],
      email: attack,
      removeUrl: 'javascript:alert(1)',
    }),
  ];
  for (const mail of mails) {
    assert.doesNotMatch(mail.subject, /[\r\n]/);
    assert.doesNotMatch(mail.html, /<script|href="javascript|\sstyle=|<img/);
    assert.doesNotMatch(mail.text, /javascript/);
  }
});

test('mails: 560 wide at most, light and dark, nothing loaded from anywhere', () => {
  for (const { html } of [signInMail(signIn), connectedMail(connected)]) {
    assert.match(html, /max-width: 560px/);
    assert.match(html, /prefers-color-scheme: dark/);
    assert.doesNotMatch(html, /<(?:img|link|script)|url\(|@import/);
  }
});
