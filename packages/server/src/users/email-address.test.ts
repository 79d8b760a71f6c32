import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEmail } from './email-address.ts';

test('an address is kept as typed and compared in lower case; its domain in ASCII', () => {
  const read: readonly [string, string, string][] = [
    [' Ana@Example.COM ', 'Ana@example.com', 'ana@example.com'],
    ["o'neil+x@mail.example.co.uk", "o'neil+x@mail.example.co.uk", "o'neil+x@mail.example.co.uk"],
    ['operator@localhost', 'operator@localhost', 'operator@localhost'],
    ['ana@bücher.example', 'ana@xn--bcher-kva.example', 'ana@xn--bcher-kva.example'],
  ];
  for (const [typed, email, key] of read) assert.deepEqual(parseEmail(typed), { email, key });
});

test('what is no address, or could be read as another person’s, is refused (Unicode folding, header injection)', () => {
  const refused = [
    '',
    '@',
    'ana',
    'ana@',
    '@example.com',
    'ana@example',
    'ana@-example.com',
    'a..b@example.com',
    '.a@example.com',
    'ana@exam ple.com',
    'ana@example.com\r\nBcc: x@y.example',
    'ana,bob@example.com',
    '<ana@example.com>',
    '"a b"@example.com',
    '\u212Aarl@example.com',
    'ana\u200B@example.com',
    'ana@exa\u0000mple.com',
    `${'a'.repeat(65)}@example.com`,
    `a@${'b'.repeat(260)}.example`,
    'ana@[127.0.0.1]',
    'ana@127.0.0.1',
    'ana@example.com.',
    'a@b@c.example',
  ];
  for (const typed of refused) assert.equal(parseEmail(typed), undefined, JSON.stringify(typed));
});
