/** How long people stay signed in at the environment, and how long access tokens of its applications live. */
export type ApplicationSessionPolicy = {
  /** Each time is longer than the next: absolute, idle, access token. */
  readonly absoluteMinutes: number;
  /** Whether somebody who does nothing is signed out before. */
  readonly idleEnabled: boolean;
  readonly idleMinutes: number;
  readonly accessTokenMinutes: number;
  /** The session's cookie outlives the browser's closing. */
  readonly persistent: boolean;
};

/** Where nobody says anything else. */
export const USUAL_SESSION_POLICY: ApplicationSessionPolicy = {
  absoluteMinutes: 30 * 24 * 60,
  idleEnabled: true,
  idleMinutes: 7 * 24 * 60,
  accessTokenMinutes: 5,
  persistent: true,
};
