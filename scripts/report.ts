import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a check found: how many things it looked at, and one sentence for each violation. */
export type Findings = {
  readonly looked: number;
  readonly what: string;
  readonly problems: readonly string[];
};

/** The folder of the repository. */
export const repositoryRoot = resolve(fileURLToPath(import.meta.url), '../..');

/** Prints findings and sets the exit code. A check that looked at nothing has failed: it proves nothing. */
export function report(name: string, findings: Findings): void {
  for (const problem of findings.problems) console.error(problem);
  console.log(
    `${name}: looked at ${findings.looked} ${findings.what}, ${findings.problems.length} problems`,
  );
  if (findings.looked === 0) console.error(`${name}: looked at nothing, so it proves nothing`);
  if (findings.looked === 0 || findings.problems.length > 0) process.exitCode = 1;
}

/** Whether a module is the script that was started, and not imported by another one. */
export function isMain(url: string): boolean {
  return process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(url);
}
