import type { Runtime } from './runtime/defaults.ts';
import { fetchText } from './runtime/limited-fetch.ts';
import { sha256 } from './runtime/sha256.ts';
import { isRecord, parseStrictJson } from './strict-json.ts';

const second = 1_000;
const timeLimit = 2 * second;
const sizeLimit = 65_536;
const shortestPause = second;
const longestPause = 15 * second;
/** A refusal is believed for no longer (RS-57). */
const inactiveAtMost = 5 * second;
/** How long an answer still speaks for a call that is being decided (RS-58). */
const vouchesFor = 60 * second;
const defaultLimit = 10_000;

export type Activity = 'active' | 'inactive' | 'unreachable';

/** Asks the authorization server about single tokens (RFC 7662). */
export type Introspection = {
  /** For a token whose signature was checked, and its `jti`. */
  isActive(token: string, tokenId: string | undefined): Activity | Promise<Activity>;
  /** Whether the last answer about this `jti` was `active` and is at most 60 s old. */
  vouchedFor(tokenId: string | undefined): boolean;
};

export type IntrospectionOptions = {
  readonly runtime: Runtime;
  readonly endpoint: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Seconds for which an answer is believed, 0 to 60. */
  readonly cacheSeconds: number;
  /** Most answers remembered. @default 10000 */
  readonly entryLimit?: number;
};

type About = { readonly token: string; readonly tokenId: string | undefined };
type Answer = { readonly at: number; readonly active: boolean };

/**
 * Introspection with a small memory (RS-25): one question per token at a time, 2 s for each. When the
 * endpoint does not answer, or refuses the credential, it is left alone for 1 to 15 s and nothing waits
 * for it. An answer can only refuse what was validated here; it never makes a token valid.
 */
export function askAboutTokens(options: IntrospectionOptions): Introspection {
  const { runtime, cacheSeconds, entryLimit = defaultLimit } = options;
  const now = runtime.nowMs;
  const answers = new Map<string, Answer>();
  const vouched = new Map<string, number>();
  const running = new Map<string, Promise<Activity>>();
  let failed = 0;
  let failedAt: number | undefined;
  let pause = 0;
  let saidAt: number | undefined;

  function isWithin(moment: number | undefined, milliseconds: number): boolean {
    const passed = moment === undefined ? -1 : now() - moment;
    return passed >= 0 && passed < milliseconds;
  }

  function known(name: string): Activity | undefined {
    const answer = answers.get(name);
    if (!answer) return undefined;
    const limit = cacheSeconds * second;
    if (isWithin(answer.at, answer.active ? limit : Math.min(limit, inactiveAtMost)))
      return answer.active ? 'active' : 'inactive';
    answers.delete(name);
    return undefined;
  }

  async function ask(name: string, token: string, tokenId: string | undefined): Promise<Activity> {
    const fetched = await fetchText(runtime.fetch, options.endpoint, question(options, token), {
      timeMs: timeLimit,
      sizeBytes: sizeLimit,
      redirects: 0,
    });
    const active = fetched.kind === 'ok' ? readActive(fetched.text, tokenId) : undefined;
    if (active === undefined) {
      noteFailure(fetched.kind === 'failed' ? fetched.reason : 'not an answer of RFC 7662');
      return 'unreachable';
    }
    failed = 0;
    failedAt = undefined;
    remember(answers, name, { at: now(), active }, entryLimit);
    if (tokenId !== undefined) {
      if (active) remember(vouched, tokenId, now(), entryLimit);
      else vouched.delete(tokenId);
    }
    return active ? 'active' : 'inactive';
  }

  function noteFailure(reason: string): void {
    failedAt = now();
    const doubled = Math.min(longestPause, shortestPause * 2 ** Math.min(failed, 10));
    pause = doubled * (0.5 + runtime.random() / 2);
    failed += 1;
    if (isWithin(saidAt, 60 * second)) return;
    saidAt = failedAt;
    const message = `tokens could not be introspected: ${reason}`;
    runtime.log({ level: 'warn', event: 'introspection_unavailable', message, reason });
  }

  function askOnce(name: string, { token, tokenId }: About): Activity | Promise<Activity> {
    const answer = known(name);
    if (answer) return answer;
    if (isWithin(failedAt, pause)) return 'unreachable';
    const asked =
      running.get(name) ??
      ask(name, token, tokenId)
        .catch((): Activity => 'unreachable')
        .finally(() => running.delete(name));
    if (running.size < entryLimit) running.set(name, asked);
    return asked;
  }

  return {
    isActive(token, tokenId) {
      const name = sha256(token);
      return typeof name === 'string'
        ? askOnce(name, { token, tokenId })
        : name.then((hashed) => askOnce(hashed, { token, tokenId }));
    },
    vouchedFor: (tokenId) => tokenId !== undefined && isWithin(vouched.get(tokenId), vouchesFor),
  };
}

/** The credential goes into the header, form-encoded first (RFC 6749 §2.3.1). */
function question({ clientId, clientSecret }: IntrospectionOptions, token: string): RequestInit {
  const encoded = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);
  return {
    method: 'POST',
    headers: {
      accept: 'application/json',
      authorization: `Basic ${btoa(`${encoded(clientId)}:${encoded(clientSecret)}`)}`,
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'gatewarden-resource-server',
    },
    body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
  };
}

/** An answer that names another token, as of a cache that mixes them up, is none (RFC 7662 §2.2). */
function readActive(text: string, tokenId: string | undefined): boolean | undefined {
  const parsed = parseStrictJson(text);
  if (parsed.kind !== 'ok' || !isRecord(parsed.value)) return undefined;
  const { active, jti } = parsed.value;
  if (jti !== undefined && tokenId !== undefined && jti !== tokenId) return undefined;
  return typeof active === 'boolean' ? active : undefined;
}

function remember<T>(entries: Map<string, T>, name: string, value: T, limit: number): void {
  entries.delete(name);
  entries.set(name, value);
  if (entries.size <= limit) return;
  const { value: oldest, done } = entries.keys().next();
  if (!done) entries.delete(oldest);
}
