import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DISPOSABLE_MAIL_DOMAINS, PUBLIC_MAIL_DOMAINS } from '../environments/mail-domains.ts';
import { canonicalDomain, organizationDomain } from './domain-name.ts';

test('spellings of one domain are one domain: case, a dot at the end, other alphabets, full-width letters (SSO-47)', () => {
  const spellings = {
    'acme.com': ['ACME.com', 'acme.com.', 'ａｃｍｅ.com', 'acme。com'],
    'xn--bcher-kva.example': ['bücher.example', 'BÜCHER.example', 'XN--BCHER-KVA.example'],
  };
  for (const [domain, texts] of Object.entries(spellings))
    for (const text of texts) assert.equal(canonicalDomain(text), domain, text);
  assert.notEqual(canonicalDomain('аcme.com'), 'acme.com', 'a Cyrillic letter is another one');
  for (const text of ['acme.com..', '.acme.com', 'acme', '127.0.0.1', '0x7f.1', '1.2.3.4.', 'a.1'])
    assert.equal(canonicalDomain(text), undefined, text);
});

test('every name of the lists is refused, and every name below it; a company that only sounds like one is not', () => {
  for (const listed of [PUBLIC_MAIL_DOMAINS, DISPOSABLE_MAIL_DOMAINS]) {
    assert.ok(listed.size > 400);
    for (const name of listed) {
      assert.equal(canonicalDomain(name), name);
      assert.equal(organizationDomain(name).kind, 'problem', name);
      assert.equal(organizationDomain(`mail.${name}`).kind, 'problem', name);
    }
  }
  for (const own of ['gmail.com.acme.example', 'notgmail.com', 'mailinator.acme.com'])
    assert.equal(organizationDomain(own).kind, 'domain', own);
});
