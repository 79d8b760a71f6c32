import type { JsonObject } from '@bufbuild/protobuf';
import type { CookieBrowser, TestGatewarden } from '../src/testing.ts';

export type PageAnswer = {
  readonly status: number;
  readonly body: JsonObject;
  /** Code of the error, empty for an answer. */
  readonly error: string;
  readonly headers: Headers;
};
export type Sent = Readonly<Record<string, string>>;

/** What a login page of the operator's own calls, with the cookies of a browser. */
export function authSteps(gatewarden: () => TestGatewarden) {
  /** What a login page of ours sends besides. */
  const own = (): Sent => ({
    'gatewarden-caller': 'login',
    origin: new URL(gatewarden().url).origin,
    'sec-fetch-site': 'same-origin',
  });
  const call = async (
    browser: CookieBrowser,
    verb: 'GET' | 'POST',
    path: string,
    body?: JsonObject,
    sent: Sent = verb === 'POST' ? own() : {},
  ): Promise<PageAnswer> => {
    const answer = await browser.fetch(`${gatewarden().url}${path}`, {
      method: verb,
      headers: { ...sent, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await answer.text();
    const parsed = (text === '' ? {} : JSON.parse(text)) as JsonObject;
    const details = Array.isArray(parsed['details']) ? parsed['details'] : [];
    const code: unknown = Reflect.get(Object(details[0]), 'error_code');
    const { status, headers } = answer;
    return { status, body: parsed, error: typeof code === 'string' ? code : '', headers };
  };
  const get = (path: string) => async (browser: CookieBrowser) => await call(browser, 'GET', path);
  const state = get('/api/v1/auth/state');
  return {
    own,
    call,
    state: async (browser: CookieBrowser) => (await state(browser)).body['auth_state'],
    organizations: get('/api/v1/auth:organizations'),
    verify: async (browser: CookieBrowser, code: string, sent?: Sent) =>
      await call(
        browser,
        'POST',
        '/api/v1/auth/passwordless:verify',
        { code_challenge: code },
        sent,
      ),
    resend: async (browser: CookieBrowser, sent?: Sent) =>
      await call(browser, 'POST', '/api/v1/auth/passwordless:resend', undefined, sent),
    discover: async (browser: CookieBrowser, email: string, sent?: Sent) =>
      await call(browser, 'POST', '/api/v1/auth:discovery', { email }, sent),
    logout: async (browser: CookieBrowser, sent?: Sent) =>
      await call(browser, 'POST', '/api/v1/auth/logout', undefined, sent),
    signUp: async (browser: CookieBrowser, name: string, more: JsonObject = {}, sent?: Sent) =>
      await call(
        browser,
        'POST',
        '/api/v1/auth:signup',
        { organization_name: name, ...more },
        sent,
      ),
  };
}
