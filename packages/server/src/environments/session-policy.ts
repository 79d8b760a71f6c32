/**
 * How long people stay signed in, and how long access tokens of applications live, where nobody says anything else. Each time
 * is longer than the next: absolute, idle, access token.
 */
export const APPLICATION_SESSION_POLICY = {
  absoluteMinutes: 30 * 24 * 60,
  idleEnabled: true,
  idleMinutes: 7 * 24 * 60,
  accessTokenMinutes: 5,
} as const;
