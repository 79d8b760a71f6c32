/** How to run a real authorization. */
export type LoginOptions = {
  /** Shows the address to the person, who signs in there. */
  readonly openBrowser: (url: string) => Promise<void>;
  /** A client that exists already. @default registers one */
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  /** @default those of the challenge, else those of the resource metadata */
  readonly scopes?: readonly string[] | undefined;
  /** A tool that needs a scope which was not asked for. @default one of tools/list, called with a wrong argument list */
  readonly tool?: string | undefined;
  /** Longest wait for the person, in seconds. @default 300 */
  readonly timeoutSeconds?: number | undefined;
};
