import { Ended, EXIT } from '../errors.ts';
import type { Io } from '../io.ts';

/** Something that is wrong, or that will be: what was seen and what to do. Never holds a secret. */
export type Finding = {
  /** Stable, so that scripts can rely on it. */
  readonly id: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly fix: string;
  /** What was looked at: a variable's name, an address, an answer. */
  readonly evidence: string;
};

/** A check that was made and found in order, for people to see. */
export type Passed = { readonly passed: string };

export type Result = Finding | Passed;

export const isFinding = (result: Result): result is Finding => 'severity' in result;

/**
 * Prints results and ends with the code of the worst: 0 when no error was found, else `code`.
 *
 * @throws {Ended} something of severity error was found
 */
export function printResults(
  io: Io,
  flags: { json?: boolean },
  results: readonly Result[],
  code: number = EXIT.failed,
): void {
  const findings = results.filter(isFinding).map(cleaned);
  const ok = !findings.some(({ severity }) => severity === 'error');
  if (flags.json) io.out(`${JSON.stringify({ ok, findings })}\n`);
  else {
    for (const result of results) io.out(line(result));
    io.out(`\n${summary(findings)}\n`);
  }
  if (!ok) throw new Ended(code);
}

function line(result: Result): string {
  if (!isFinding(result)) return `  ok       ${printable(result.passed)}\n`;
  const mark = result.severity === 'error' ? 'error  ' : 'warning';
  const { id, message, fix, evidence } = cleaned(result);
  return `  ${mark}  ${message} [${id}]\n           seen: ${evidence}\n           fix:  ${fix}\n`;
}

function summary(findings: readonly Finding[]): string {
  const count = (severity: Finding['severity']): number =>
    findings.filter((finding) => finding.severity === severity).length;
  const [errors, warnings] = [count('error'), count('warning')];
  if (errors + warnings === 0) return 'Nothing wrong was found.';
  return `${errors} ${errors === 1 ? 'error' : 'errors'}, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}.`;
}

/** JSON goes to terminals too, and leaves characters as they are that reorder or hide others. */
function cleaned({ id, severity, message, fix, evidence }: Finding): Finding {
  return {
    id,
    severity,
    message: printable(message),
    fix: printable(fix),
    evidence: printable(evidence),
  };
}

/** What strangers wrote, without what a terminal would obey, or what reorders or hides text; cut to a line's length. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, ' ').slice(0, 400);
}
