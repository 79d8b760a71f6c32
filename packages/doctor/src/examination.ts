import { type Severity, STEPS, type Step } from './catalogue/fault.ts';
import { catalogue, type FindingId } from './catalogue.ts';
import { evidenceOf, type HttpClient, type Outcome, type Request } from './http.ts';
import { printable } from './printable.ts';
import type { Finding, StepReport } from './report.ts';

/** What was seen that makes a finding. */
export type Seen = {
  readonly message: string;
  /** The answer that shows it, or a text; the address of the finding is that of the answer. */
  readonly evidence: Outcome | string;
  /** Header fields of the answer that belong to the evidence. */
  readonly headers?: readonly string[];
  readonly url?: string;
  /** @default that of the catalogue */
  readonly severity?: Severity;
};

/** One examination under way: how steps ask, and where they write down what they saw. */
export type Examination = {
  readonly target: URL;
  readonly targetIsLoopback: boolean;
  readonly now: () => Date;
  readonly random: (bytes: number) => Uint8Array;
  readonly send: (request: Request) => Promise<Outcome>;
  readonly find: (id: FindingId, seen: Seen) => void;
  readonly has: (...ids: readonly FindingId[]) => boolean;
  readonly note: (step: Step, text: string) => void;
  /** A secret of this examination: whoever repeats it, it stands in no finding and no note. */
  readonly hide: (secret: string | undefined) => void;
  /** Says that a step began; steps that never began are "not reached". */
  readonly begin: (step: Step) => void;
};

export type Ledger = {
  readonly findings: readonly Finding[];
  readonly steps: () => readonly StepReport[];
};

export type ExaminationInput = {
  readonly target: URL;
  readonly targetIsLoopback: boolean;
  readonly http: HttpClient;
  readonly now: () => Date;
  readonly random: (bytes: number) => Uint8Array;
  readonly onProgress: (line: string) => void;
};

/** Shorter ones occur in ordinary words. */
const SHORTEST_SECRET = 8;

/** An empty examination and the place where its results gather. */
export function openExamination(input: ExaminationInput): {
  examination: Examination;
  ledger: Ledger;
} {
  const findings: Finding[] = [];
  const notes = new Map<Step, string[]>();
  const begun = new Set<Step>();
  const secrets = new Set<string>();
  const clean = (text: string, most: number): string => {
    let rest = text;
    for (const secret of secrets) rest = rest.replaceAll(secret, '(not shown)');
    return printable(rest, most);
  };
  const examination: Examination = {
    target: input.target,
    targetIsLoopback: input.targetIsLoopback,
    now: input.now,
    random: input.random,
    send: input.http.send,
    find: (id, seen) => {
      // The first sight of a fault is the clearest; the same fault at another address adds nothing.
      if (!findings.some((finding) => finding.id === id))
        findings.push(findingOf(id, seen, { target: input.target, clean }));
    },
    has: (...ids) => findings.some((finding) => ids.includes(finding.id)),
    note: (step, text) => {
      const list = notes.get(step) ?? [];
      notes.set(step, [...list, clean(text, 400)]);
    },
    hide: (secret) => {
      if (secret !== undefined && secret.length >= SHORTEST_SECRET) secrets.add(secret);
    },
    begin: (step) => {
      begun.add(step);
      input.onProgress(step);
    },
  };
  const steps = (): readonly StepReport[] =>
    STEPS.map((step) => {
      const failed = findings.some((finding) => finding.step === step);
      const outcome = failed ? 'failed' : begun.has(step) ? 'passed' : 'not reached';
      return { step, outcome, notes: notes.get(step) ?? [] };
    });
  return { examination, ledger: { findings, steps } };
}

function findingOf(
  id: FindingId,
  seen: Seen,
  {
    target,
    clean,
  }: { readonly target: URL; readonly clean: (text: string, most: number) => string },
): Finding {
  const fault = catalogue[id];
  const { evidence } = seen;
  const url = seen.url ?? (typeof evidence === 'string' ? target.href : evidence.url);
  return {
    id,
    severity: seen.severity ?? fault.severity,
    step: fault.step,
    message: clean(seen.message, 500),
    fix: fault.fix,
    evidence: clean(
      typeof evidence === 'string' ? evidence : evidenceOf(evidence, seen.headers),
      500,
    ),
    url: clean(url, 2000),
    rule: fault.rule,
  };
}
