/** The steps of an examination, in the order in which they run. */
export const STEPS = [
  'reach',
  'challenge',
  'resource-metadata',
  'authorization-server',
  'keys',
  'registration',
  'cors',
  'transport',
  'login',
] as const;

export type Step = (typeof STEPS)[number];

/** `error`: clients fail or strangers get in. `warning`: some clients fail, or a recommendation is not followed. */
export type Severity = 'error' | 'warning';

/** Where it is written, and what it says in our words. */
export type Rule = { readonly source: string; readonly section: string; readonly says: string };

/** One fault that a server can have. */
export type Fault = {
  readonly title: string;
  readonly severity: Severity;
  readonly step: Step;
  readonly rule: Rule;
  /** What to change, concrete enough to act on. */
  readonly fix: string;
};

export const MCP = 'MCP specification 2025-11-25, Authorization';
export const TRANSPORT = 'MCP specification 2025-11-25, Transports';
