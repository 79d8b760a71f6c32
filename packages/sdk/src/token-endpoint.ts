import { Code, ConnectError } from '@connectrpc/connect';
import { API_VERSION, SDK_VERSION } from './api-version.ts';
import type { Outside } from './runtime/outside.ts';
import { ScalekitServerException } from './server-errors.ts';

/** The members of an answer that this package reads (RFC 6749 §5.1). */
export type TokenAnswer = {
  readonly accessToken: string;
  readonly idToken: string | undefined;
  readonly refreshToken: string | undefined;
  /** Seconds. */
  readonly expiresIn: number | undefined;
};

export type TokenEndpoint = {
  readonly url: string;
  /** Milliseconds for connecting, waiting and reading. */
  readonly timeoutMs: number;
  readonly fetch: Outside['fetch'];
};

const sizeLimit = 262_144;

/**
 * One request to the token endpoint, with the client's credentials among the parameters (client_secret_post).
 * Nothing of them is in an error.
 *
 * @throws {ScalekitServerException} what the server answered, or that it did not answer in time or at all
 */
export async function requestToken(
  endpoint: TokenEndpoint,
  parameters: Readonly<Record<string, string | undefined>>,
): Promise<TokenAnswer> {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value) form.set(name, value);
  const { response, text } = await send(endpoint, form);
  const { status, statusText } = response;
  const data = parsed(text);
  if (status !== 200) throw ScalekitServerException.promote({ status, statusText, data });
  const answer = answerOf(data);
  if (answer) return answer;
  throw failure(Code.Unknown, 'Missing access_token in authentication response');
}

async function send(
  { url, timeoutMs, fetch }: TokenEndpoint,
  form: URLSearchParams,
): Promise<{ response: Response; text: string }> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
        'x-sdk-version': SDK_VERSION,
        'x-api-version': API_VERSION,
      },
      body: form.toString(),
      redirect: 'manual',
      signal,
    });
    const text = await response.text();
    if (text.length > sizeLimit)
      throw failure(Code.Unknown, 'the token endpoint’s answer is too long');
    return { response, text };
  } catch (error) {
    if (error instanceof ScalekitServerException) throw error;
    // The causes of `fetch` are not passed on: some implementations keep the request, and so the secret, in them.
    if (signal.aborted)
      throw failure(Code.DeadlineExceeded, 'the token endpoint did not answer in time');
    throw failure(Code.Unavailable, 'the token endpoint cannot be reached');
  }
}

function failure(code: Code, message: string): ScalekitServerException {
  return ScalekitServerException.promote(new ConnectError(message, code));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function answerOf(data: unknown): TokenAnswer | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const member = (name: string): unknown => Reflect.get(data, name);
  const text = (name: string): string | undefined => {
    const value = member(name);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const accessToken = text('access_token');
  if (!accessToken) return undefined;
  const expiresIn = member('expires_in');
  return {
    accessToken,
    idToken: text('id_token'),
    refreshToken: text('refresh_token'),
    expiresIn: typeof expiresIn === 'number' ? expiresIn : undefined,
  };
}
