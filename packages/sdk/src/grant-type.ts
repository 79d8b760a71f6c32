/** Grant types of the token endpoint, under the names of Scalekit's SDK. */
export const GrantType = {
  AuthorizationCode: 'authorization_code',
  RefreshToken: 'refresh_token',
  ClientCredentials: 'client_credentials',
} as const;

export type GrantType = (typeof GrantType)[keyof typeof GrantType];
