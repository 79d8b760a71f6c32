import type { Ctx } from '../runtime/context.ts';
import { findPasswordlessSettings, type PasswordlessType } from './passwordless.store.ts';

/** How an environment proves addresses for its applications. */
export type PasswordlessSettings = {
  readonly type: PasswordlessType;
  /** Of a request that names none, in seconds. */
  readonly expiresIn: number;
  /** A link counts only together with the id of its request. */
  readonly sameBrowser: boolean;
  readonly codeLength: number;
  readonly codeType: 'NUMERIC' | 'ALPHANUMERIC';
  /** Another mail has new secrets, and the older ones end. */
  readonly regenerate: boolean;
};

/** Seconds that a request may live. */
export const SHORTEST_REQUEST = 30;
export const LONGEST_REQUEST = 3600;
const USUAL_SECONDS = 300;
const USUAL_LENGTH = 6;

/** What the environment's passwordless connection says; without one, codes of six digits for five minutes. */
export async function passwordlessSettings(ctx: Ctx): Promise<PasswordlessSettings> {
  const said = await findPasswordlessSettings(ctx.db, ctx.environmentId);
  return {
    type: said?.type ?? 'OTP',
    expiresIn: Math.min(said?.validity ?? USUAL_SECONDS, LONGEST_REQUEST),
    sameBrowser: said?.enforceSameBrowserOrigin ?? true,
    codeLength: said?.codeChallengeLength ?? USUAL_LENGTH,
    codeType: said?.codeChallengeType ?? 'NUMERIC',
    regenerate: said?.regeneratePasswordlessCredentialsOnResend ?? false,
  };
}
