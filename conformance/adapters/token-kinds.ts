import { createHmac } from 'node:crypto';
import {
  type FakeIssuer,
  newKey,
  part,
  resourceId,
  serverUrl,
  siblingId,
} from '@gatewarden/resource-server/testing/fake-issuer';

/** Claims of an access token that another kind of JWT does not have. */
const none = { client_id: undefined, scope: undefined, scopes: undefined };

/** The public key as a secret (RFC 8725 §2.1), and no signature at all. */
function forged(issuer: FakeIssuer): Record<string, string> {
  const payload = part(issuer.claims());
  const unsigned = `${part({ alg: 'none', typ: 'at+jwt', kid: issuer.key.kid })}.${payload}.`;
  const input = `${part({ alg: 'HS256', typ: 'at+jwt', kid: issuer.key.kid })}.${payload}`;
  const secret = JSON.stringify(issuer.key.jwk);
  const signature = createHmac('sha256', secret).update(input).digest('base64url');
  return { 'alg none': unsigned, 'HS256 with the public key': `${input}.${signature}` };
}

/** Everything that is signed by the right key, or looks as if, and is no access token for this server. */
export async function tokensThatAreNone(issuer: FakeIssuer): Promise<Record<string, string>> {
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  const stranger = await newKey(issuer.key.kid);
  const valid = await issuer.token();
  const now = Math.floor(issuer.clock.now.getTime() / 1_000);
  const idToken = { ...none, nonce: 'n', at_hash: 'h' };
  return {
    ...forged(issuer),
    'ID token for the client': await issuer.token({ ...idToken, aud: 'skc_1' }, { typ: 'JWT' }),
    'ID token for this server': await issuer.token({ ...idToken, aud: resourceId }, { typ: 'JWT' }),
    'logout token': await issuer.token({ ...none, events, aud: resourceId }, { typ: 'logout+jwt' }),
    'login started by an identity provider': await issuer.token(none, { typ: 'idp-login+jwt' }),
    'revocation feed': await issuer.token(
      {
        ...none,
        aud: `${issuer.url}/resources/${resourceId}/revocations`,
        epoch: 'e',
        entries: [],
      },
      { typ: 'gatewarden-revocations+jwt' },
    ),
    'feed with the audience of this server': await issuer.token(
      { epoch: 'e', seq: 1, entries: [] },
      { typ: 'gatewarden-revocations+jwt' },
    ),
    'typ JWT': await issuer.token({}, { typ: 'JWT' }),
    'no typ': await issuer.token({}, { typ: undefined }),
    'typ of another case': await issuer.token({}, { typ: 'at+jwt+x' }),
    'signed by a stranger': await issuer.token({}, {}, stranger),
    'the stranger’s key inside': await issuer.token({}, { jwk: stranger.jwk }, stranger),
    expired: await issuer.token({ exp: now - 60 }),
    'not valid yet': await issuer.token({ nbf: now + 600 }),
    'for a sibling server': await issuer.token({ aud: siblingId }),
    'for a longer address': await issuer.token({ aud: `${serverUrl}/more` }),
    'of another issuer': await issuer.token({ iss: 'https://elsewhere.example' }),
    'without audience': await issuer.token({ aud: undefined }),
    'scopes wider than scope': await issuer.token({ scopes: ['todo:read', 'todo:write'] }),
    'with a changed signature': `${valid.slice(0, -6)}AAAAAA`,
    'with changed claims': valid.replace(/\.[^.]+\./, `.${part(issuer.claims({ sub: 'usr_2' }))}.`),
    shortened: valid.slice(0, valid.lastIndexOf('.')),
    opaque: 'b3BhcXVl',
    'an API key': 'sk_live_0123456789',
  };
}
