import { decodeJwt } from 'jose';
import type { Examination } from '../examination.ts';
import { initializeCall, isCarriedOut } from '../mcp-request.ts';
import { shown } from '../printable.ts';
import {
  type Authorization,
  codeParameters,
  errorOfBody,
  type OAuthClient,
  type Tokens,
  tokenRequest,
  tokensOf,
} from './oauth-client.ts';

/** What was granted, and to whom. */
export type Granted = {
  readonly tokenEndpoint: string;
  readonly client: OAuthClient;
  readonly authorization: Authorization;
  readonly code: string;
  readonly tokens: Tokens;
};

/** RFC 9700 §4.14.2: a public client's refresh token is replaced at each use. Returns the newest. */
export async function checkRefresh(
  examination: Examination,
  { tokenEndpoint, client, authorization, tokens }: Granted,
): Promise<Tokens> {
  if (tokens.refresh === undefined) {
    examination.note(
      'login',
      'No refresh token was issued: people sign in again when the access token ends.',
    );
    return tokens;
  }
  const answer = await tokenRequest(examination, tokenEndpoint, client, {
    grant_type: 'refresh_token',
    refresh_token: tokens.refresh,
    resource: authorization.resource,
  });
  const next = answer.kind === 'answer' ? tokensOf(answer) : undefined;
  examination.hide(next?.access);
  examination.hide(next?.refresh);
  if (!next) {
    examination.find('login-failed', {
      message: `The refresh token is refused at its first use${answer.kind === 'answer' ? `: ${answer.status} ${errorOfBody(answer) ?? ''}` : ''}.`,
      evidence: answer,
    });
    return tokens;
  }
  const isKept = next.refresh === undefined || next.refresh === tokens.refresh;
  if (isKept && client.secret === undefined)
    examination.find('refresh-not-rotated', {
      message: 'After a refresh the same refresh token goes on working for a public client.',
      evidence: answer,
    });
  return { ...next, refresh: next.refresh ?? tokens.refresh };
}

/** RFC 6749 §4.1.2: the code of before, once more. */
export async function checkReplay(
  examination: Examination,
  { tokenEndpoint, client, authorization, code }: Granted,
): Promise<void> {
  const answer = await tokenRequest(
    examination,
    tokenEndpoint,
    client,
    codeParameters(authorization, code),
  );
  if (answer.kind === 'answer' && tokensOf(answer))
    examination.find('replayed-code-accepted', {
      message: 'The authorization code is redeemed a second time.',
      evidence: answer,
    });
}

/** A token that was asked for another resource, presented to this one. */
export async function checkAudience(
  examination: Examination,
  url: string,
  resource: string,
  tokens: Tokens,
): Promise<void> {
  const audience = audienceOf(tokens.access);
  if (audience === undefined || audience.includes(resource)) {
    examination.note(
      'login',
      audience === undefined
        ? 'The token for another resource does not show its audience; whether it counts here was not judged.'
        : `The authorization server ignores the resource parameter: asked for another, it issued a token for ${shown(audience)}.`,
    );
    return;
  }
  const answer = await examination.send(
    initializeCall(url, { authorization: `Bearer ${tokens.access}` }),
  );
  if (answer.kind === 'answer' && isCarriedOut(answer))
    examination.find('token-wrong-audience-accepted', {
      message: `A token whose audience is ${shown(audience)} is accepted here.`,
      evidence: answer,
    });
}

function audienceOf(token: string): readonly string[] | undefined {
  try {
    const { aud } = decodeJwt(token);
    return aud === undefined ? undefined : [aud].flat();
  } catch {
    return undefined;
  }
}
