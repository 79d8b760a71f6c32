import type { Examination } from './examination.ts';
import type { ClientVerdict, ExamineOptions } from './report.ts';
import { examineChallenge } from './steps/challenge.ts';
import { examineFalseTokens } from './steps/false-tokens.ts';
import { examineOtherDoors } from './steps/other-doors.ts';
import { reach } from './steps/reach.ts';

export type StepsOutcome = {
  readonly unreachableReason?: string;
  readonly credentialsRefused?: string;
  readonly clients: readonly ClientVerdict[];
};

/** The steps in their order. A step that only could repeat what an earlier one found is not run. */
export async function runSteps(
  examination: Examination,
  _options: ExamineOptions,
): Promise<StepsOutcome> {
  const reached = await reach(examination);
  if (reached.kind === 'unreachable') return { unreachableReason: reached.reason, clients: [] };
  if (reached.kind === 'stopped') return { clients: [] };
  const gate = await examineChallenge(examination, reached.endpoint);
  if (!gate.probe) return { clients: [] };
  await examineFalseTokens(examination, gate);
  await examineOtherDoors(examination, gate);
  return { clients: [] };
}
