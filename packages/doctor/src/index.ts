export {
  type Fault,
  type Rule,
  type Severity,
  STEPS,
  type Step,
} from './catalogue/fault.ts';
export { catalogue, type FindingId } from './catalogue.ts';
export { findClient, type KnownClient, knownClients } from './clients.ts';
export { examine } from './examine.ts';
export { ExamineError } from './examine-error.ts';
export { hostSteps } from './host-steps.ts';
export type { LoginOptions } from './login/login-options.ts';
export type {
  ClientVerdict,
  ExamineOptions,
  Finding,
  Report,
  StepOutcome,
  StepReport,
} from './report.ts';
export { sarifReport } from './sarif.ts';
export { type TextOptions, textReport } from './text-report.ts';
