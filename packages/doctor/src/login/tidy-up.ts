import type { Examination } from '../examination.ts';
import { shown } from '../printable.ts';
import type { AuthorizationServer } from '../steps/authorization-server.ts';
import { safeAddressOf } from '../steps/authorization-server-metadata.ts';
import { type OAuthClient, type Tokens, tokenRequest } from './oauth-client.ts';

/** Revokes what was issued and removes the client that was registered, as far as the server lets one; says what stays. */
export async function tidyUp(
  examination: Examination,
  server: AuthorizationServer,
  client: OAuthClient,
  tokens: readonly Tokens[],
): Promise<void> {
  const revocation = safeAddressOf(server.metadata, 'revocation_endpoint')?.href;
  const issued = [...new Set(tokens.map(({ refresh, access }) => refresh ?? access))];
  if (revocation !== undefined)
    for (const token of issued) await tokenRequest(examination, revocation, client, { token });
  else if (issued.length > 0)
    examination.note(
      'login',
      'There is no revocation endpoint: the tokens of this examination live until they expire.',
    );
  if (!client.registered) return;
  const { management } = client;
  const removed =
    management !== undefined && isAtRegistration(server, management.url)
      ? await examination.send({
          method: 'DELETE',
          url: management.url,
          headers: { authorization: `Bearer ${management.token}` },
        })
      : undefined;
  const isGone = removed?.kind === 'answer' && removed.status === 204;
  examination.note(
    'login',
    isGone
      ? `The client ${shown(client.id)} was registered and removed again.`
      : `The client ${shown(client.id)} ("Gatewarden doctor") was registered and stays; the server offers no way to remove it.`,
  );
}

/** Whoever registers us chooses this address: beyond the registration's own origin it may be anybody's. */
function isAtRegistration({ metadata }: AuthorizationServer, url: string): boolean {
  const registration = safeAddressOf(metadata, 'registration_endpoint');
  return URL.canParse(url) && new URL(url).origin === registration?.origin;
}
