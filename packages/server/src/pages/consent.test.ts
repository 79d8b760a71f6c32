import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConsentModel, consentPage } from './consent.ts';
import type { Trust, TrustModel } from './consent-trust.ts';
import type { RedirectTarget } from './redirect-target.ts';
import { sampleConsent, sampleFrame } from './samples.ts';

const web: RedirectTarget = {
  kind: 'web',
  host: 'connect.planner.example',
  domain: 'planner.example',
};
const loopback: RedirectTarget = { kind: 'loopback', port: '33418' };
const app: RedirectTarget = { kind: 'app', scheme: 'cursor' };

const trusts: { trust: Trust; colour: string; sentence: RegExp }[] = [
  {
    trust: { kind: 'operator', company: 'Acme Ltd' },
    colour: 'green',
    sentence: /Registered by Acme Ltd/,
  },
  {
    trust: { kind: 'known-host', host: 'claude.ai' },
    colour: 'green',
    sentence: /claude\.ai – this app proved it is run by this site\./,
  },
  {
    trust: { kind: 'identified-host' },
    colour: 'amber',
    sentence: /Identified by planner\.pages\.example\/acme\./,
  },
  {
    trust: { kind: 'local-app' },
    colour: 'amber',
    sentence:
      /This looks like an app on your device\. Any program on this computer could use this name\. Go on only if you just started connecting Planner yourself\./,
  },
  {
    trust: { kind: 'self-declared' },
    colour: 'amber',
    sentence: /Not verified\. This app chose its own name\. Check that you know/,
  },
  {
    trust: { kind: 'look-alike', knownHost: 'claude.ai' },
    colour: 'red',
    sentence:
      /This may be an impostor\. It calls itself Planner, but access would go to .+, which isn't claude\.ai\./,
  },
];

const destinations: [RedirectTarget, RegExp][] = [
  [web, /After you allow, you'll be sent to connect\.planner\.example/],
  [loopback, /After you allow, you'll be sent to an app on this device \(port 33418\)/],
  [app, /After you allow, you'll be sent to the Planner app on this device \(cursor:\)/],
];

function page(over: Partial<ConsentModel> = {}): string {
  return consentPage(sampleFrame, sampleConsent(over)).toString();
}

/** What a person reads: text without markup. */
function text(markup: string): string {
  return markup
    .replace(/<\/?(?:dt|dd|div|li|p|h\d|span|ul|dl|br)\b[^>]*>/g, ' ')
    .replace(/<[^>]+>/g, '')
    .replaceAll('&#39;', "'")
    .replace(/\s+/g, ' ');
}

test('consent: each trust level with each kind of redirect says who asks and where it goes (AS-126, hosted-pages 3.6)', () => {
  const registration: TrustModel['registration'] = {
    kind: 'metadata-document',
    host: 'planner.pages.example',
    firstPathSegment: 'acme',
  };
  for (const { trust, colour, sentence } of trusts) {
    for (const [redirect, destination] of destinations) {
      const markup = page({ trust, redirect, registration });
      assert.match(markup, new RegExp(`class="who ${colour}"`));
      assert.match(text(markup), sentence);
      assert.match(text(markup), destination);
      assert.match(text(markup), /Planner wants access to Acme Calendar/);
      assert.match(text(markup), /Access to Acme Calendar ?mcp\.acme\.example/);
      assert.match(text(markup), /ana@example\.com/);
    }
  }
});

test('consent: every page has the unticked required tick, Cancel skips it, and Cancel comes first on amber and red (AS-153)', () => {
  for (const { trust, colour } of trusts) {
    const markup = page({ trust });
    assert.match(
      markup,
      /<input type="checkbox" id="confirm" name="confirm" value="yes" required>/,
    );
    assert.match(markup, /<button [^>]*name="decision" value="deny" formnovalidate>/);
    assert.match(markup, /<button [^>]*name="decision" value="allow">/);
    const cancelFirst = markup.indexOf('value="deny"') < markup.indexOf('value="allow"');
    assert.equal(cancelFirst, colour !== 'green', trust.kind);
    assert.equal(/data-auto-confirm/.test(markup), colour === 'green', trust.kind);
    assert.equal(
      /class="primary" type="submit" name="decision" value="allow"/.test(markup),
      colour === 'green',
      trust.kind,
    );
    assert.doesNotMatch(markup, /<button[^>]*autofocus/);
  }
});

test('consent: the tick vouches for the redirect host, the start on this device, or an unregistered server (AS-153, AS-38)', () => {
  assert.match(text(page({ redirect: web })), /I know connect\.planner\.example/);
  assert.match(text(page({ trust: { kind: 'local-app' }, redirect: loopback })), /I started this/);
  assert.match(
    text(page({ unregisteredResource: { host: 'mcp.other.example' } })),
    /I trust mcp\.other\.example/,
  );
  assert.match(text(page({ unregisteredResource: {} })), /I started this/);
  const green: Partial<ConsentModel> = {
    trust: { kind: 'known-host', host: 'claude.ai' },
    unregisteredResource: { host: 'mcp.other.example' },
  };
  assert.doesNotMatch(
    page(green),
    /data-auto-confirm/,
    'a script never vouches for an unregistered server',
  );
});

test('consent: allowed without the tick, the page comes again with the tick marked and the choices kept (AS-153)', () => {
  const markup = page({ tickMissing: true, selectedScopes: ['calendar:delete'] });
  assert.match(markup, /role="alert"/);
  assert.match(
    markup,
    /name="confirm" value="yes" required aria-invalid="true" aria-describedby="confirm-error"/,
  );
  assert.doesNotMatch(markup, /name="confirm"[^>]*checked/);
  assert.match(markup, /value="calendar:delete" checked/);
  assert.doesNotMatch(markup, /value="calendar:write" checked/);
});

test('consent: deleting or spending is never preselected, other optional scopes are, required ones have no box (AS-44)', () => {
  const markup = page();
  assert.match(markup, /name="scope" value="calendar:write" checked>/);
  assert.match(markup, /name="scope" value="calendar:delete">/);
  assert.doesNotMatch(markup, /name="scope" value="calendar:read"/);
  assert.match(text(markup), /Your name and email address/);
  assert.match(text(markup), /Until you remove it, at most 30 days/);
  assert.match(text(page({ scopes: [] })), /It can't keep access when you're away\./);
});

test('consent: a larger request marks what is new and lists the rest as already allowed (AS-46)', () => {
  const scopes = sampleConsent().scopes.map((scope) => ({
    ...scope,
    granted: scope.class !== 'delete-or-spend',
  }));
  const markup = page({ stepUp: true, scopes });
  assert.match(text(markup), /Planner asks for one more permission/);
  assert.equal(markup.match(/>New</g)?.length, 1);
  assert.match(text(markup), /Already allowed Your calendars and events/);
  assert.deepEqual(
    [...markup.matchAll(/name="scope" value="([^"]+)"( checked)?/g)].map(([, name, checked]) => [
      name,
      checked,
    ]),
    [['calendar:delete', undefined]],
  );
});

test('consent: a new client and another redirect site are pointed out, self-registration is said (AS-126, AS-127)', () => {
  const registration: TrustModel['registration'] = {
    kind: 'metadata-document',
    host: 'planner.pages.example',
  };
  assert.match(
    text(page({ firstSeen: true })),
    /New here\. This is the first time this app asks for access here\./,
  );
  assert.match(
    text(page({ registration, differentHost: true })),
    /It will send you to connect\.planner\.example\./,
  );
  assert.match(text(page()), /Self-registered app\./);
  const local = text(page({ registration, trust: { kind: 'local-app' }, redirect: loopback }));
  assert.match(local, /Identified by planner\.pages\.example\./);
});

test('consent: a client cannot style its name, reorder our words with it or outgrow the page (AS-62)', () => {
  const markup = page({ clientName: `\u202E<b>${'W'.repeat(100)}\u200B` });
  assert.match(markup, /<h1><bdi>&lt;b&gt;W{56}…<\/bdi> wants access/);
  assert.doesNotMatch(markup, /\u202E|\u200B/);
  assert.match(page({ clientName: '\u200B\u202E' }), /<h1><bdi>\?<\/bdi> wants access/);
});

test('consent: logo of a client only on green levels, its links only over https (AS-135)', () => {
  const clientDetails = {
    ...sampleConsent().clientDetails,
    logo: '/logos/1',
    termsUrl: 'http://planner.example/terms',
  };
  assert.doesNotMatch(page({ clientDetails }), /\/logos\/1/);
  assert.match(
    page({ clientDetails, trust: { kind: 'operator', company: 'Acme' } }),
    /src="\/logos\/1"/,
  );
  assert.doesNotMatch(page({ clientDetails }), /Terms of/);
  assert.match(page(), /href="https:\/\/planner\.example\/privacy" rel="noreferrer noopener"/);
});
