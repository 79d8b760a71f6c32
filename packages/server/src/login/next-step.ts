import type { Session } from '../sessions/sessions.ts';
import type { LoginRequest } from './login-requests.store.ts';

export type Step =
  | { readonly kind: 'identify' }
  | { readonly kind: 'sign-up' }
  | { readonly kind: 'email-code' }
  | { readonly kind: 'pick-account' }
  /** To the application's own login page, for an MCP server that has one (SSO-66). */
  | { readonly kind: 'own-sign-in'; readonly connectionId: string }
  /** Somebody is signed in as this request wants it: back to the authorization endpoint. */
  | { readonly kind: 'done' };

export type StepFacts = {
  /** Who is signed in in this browser, the current one first. */
  readonly current: Session | undefined;
  readonly others: number;
  /** When the code was asked for that can still be typed in this request. */
  readonly codeAskedAt: Date | undefined;
  readonly signUpAllowed: boolean;
  readonly now: Date;
};

/**
 * What the browser sees next. The only place that knows the order of steps; it touches neither HTTP nor SQL. The request row
 * alone never finishes anything: `done` needs a live session of this browser (AS-30).
 */
export function nextStep(
  login: Pick<LoginRequest, 'details' | 'promptDone' | 'createdAt' | 'decision'>,
  facts: StepFacts,
): Step {
  // What was decided needs no second sign-in: the authorization endpoint repeats its answer or refuses.
  if (login.decision && facts.current) return { kind: 'done' };
  const { ownSignIn } = login.details;
  if (ownSignIn !== undefined)
    return facts.current && satisfies(login, facts.current, facts.now)
      ? { kind: 'done' }
      : { kind: 'own-sign-in', connectionId: ownSignIn };
  // A code asked for after the last proof means that the person wants to be somebody else.
  const { current, codeAskedAt } = facts;
  if (codeAskedAt && !(current && current.authenticatedAt.getTime() > codeAskedAt.getTime())) {
    return { kind: 'email-code' };
  }
  if (current && satisfies(login, current, facts.now)) return { kind: 'done' };
  if (codeAskedAt) return { kind: 'email-code' };
  const prompts = login.details.prompts;
  if (!login.promptDone && prompts.includes('create') && facts.signUpAllowed) {
    return { kind: 'sign-up' };
  }
  const choosing = prompts.includes('select_account') && !prompts.includes('login');
  if (facts.current && choosing && !login.promptDone) return { kind: 'pick-account' };
  if (!facts.current && facts.others > 0 && !prompts.includes('login')) {
    return { kind: 'pick-account' };
  }
  return { kind: 'identify' };
}

/**
 * Whether a session is what the request asks for: `prompt=login` and `max_age` want a proof of now, `select_account` a choice
 * made in this request (AS-28, AS-29; OpenID Connect Core §3.1.2.1).
 */
export function satisfies(
  login: Pick<LoginRequest, 'details' | 'promptDone' | 'createdAt'>,
  session: Pick<Session, 'authenticatedAt'>,
  now: Date,
): boolean {
  const { prompts, maxAge } = login.details;
  const provenHere =
    login.promptDone && session.authenticatedAt.getTime() >= login.createdAt.getTime();
  if (prompts.includes('login') && !provenHere) return false;
  if (prompts.includes('create') && !login.promptDone) return false;
  if (prompts.includes('select_account') && !login.promptDone) return false;
  if (maxAge === undefined || provenHere) return true;
  return now.getTime() - session.authenticatedAt.getTime() <= maxAge * 1000;
}
