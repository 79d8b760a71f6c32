import type { Rule, Severity, Step } from './catalogue/fault.ts';
import type { FindingId } from './catalogue.ts';
import type { LoginOptions } from './login/login-options.ts';

export type Finding = {
  readonly id: FindingId;
  readonly severity: Severity;
  readonly step: Step;
  /** What was seen, in one sentence. */
  readonly message: string;
  /** What to change. */
  readonly fix: string;
  /** The request and the part of the answer that shows it; printable text. */
  readonly evidence: string;
  /** Address that was asked. */
  readonly url: string;
  readonly rule: Rule;
};

export type StepOutcome = 'passed' | 'failed' | 'not reached';
export type StepReport = {
  readonly step: Step;
  readonly outcome: StepOutcome;
  readonly notes: readonly string[];
};

/** What would happen if a known client were pointed at the server. */
export type ClientVerdict = {
  readonly name: string;
  /** `by-hand`: only after a person has registered the client and entered its id. */
  readonly outcome: 'through' | 'by-hand' | 'stopped';
  readonly registration: 'metadata document' | 'dynamic registration' | 'pre-registered' | 'none';
  readonly redirectUris: readonly string[];
  readonly authMethod: string | undefined;
  /** Why it is stopped, or what it needs. */
  readonly reasons: readonly string[];
  /** What is known of this client. */
  readonly remarks: readonly string[];
};

export type Report = {
  readonly target: string;
  /** Something answered, given credentials were not refused, and there is no finding of severity error. */
  readonly ok: boolean;
  /** False: nothing answered at the address, and nothing was examined. */
  readonly reachable: boolean;
  /** Why nothing answered. */
  readonly unreachableReason?: string;
  /** The authorization server refused the credentials that were given for `--login`. */
  readonly credentialsRefused?: string;
  readonly findings: readonly Finding[];
  readonly clients: readonly ClientVerdict[];
  readonly steps: readonly StepReport[];
  readonly requests: number;
  readonly durationMs: number;
};

export type ExamineOptions = {
  /** Run a real authorization with a person. @default without */
  readonly login?: LoginOptions | undefined;
  /** Also talk to private and link-local addresses. Loopback needs it only when the target is elsewhere. @default false */
  readonly allowPrivate?: boolean | undefined;
  /** Most requests per second to one host. @default 10, and 50 where the target is loopback */
  readonly requestsPerSecond?: number | undefined;
  /** Longest wait for one answer, in milliseconds. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** All addresses of a name. @default the system's resolver, hosts file included */
  readonly resolve?: ((hostname: string) => Promise<readonly string[]>) | undefined;
  /** @default the clock of the machine */
  readonly now?: (() => Date) | undefined;
  /** @default the random source of the machine */
  readonly random?: ((bytes: number) => Uint8Array) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** One line for people about what is being done. */
  readonly onProgress?: ((line: string) => void) | undefined;
};
