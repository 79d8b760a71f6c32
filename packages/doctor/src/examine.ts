import { openExamination } from './examination.ts';
import { ExamineError } from './examine-error.ts';
import type { ExamineOptions, Report, StepReport } from './report.ts';
import { runSteps } from './run-steps.ts';
import { isLoopbackUrl } from './runtime/addresses.ts';
import { createHttpClient } from './runtime/http-client.ts';
import { systemNow, systemRandom } from './runtime/machine.ts';
import { systemResolve } from './runtime/pinned-connector.ts';

const REQUESTS_PER_SECOND = 10;
/** This machine's own server is nobody else's load. */
const LOOPBACK_REQUESTS_PER_SECOND = 50;
const TIMEOUT_MS = 5_000;

/**
 * Acts as a client towards an MCP server and its authorization server and reports what is wrong. Without `login` it only
 * reads: no registration, no token, no tool is called.
 *
 * @throws {ExamineError} the target is no http address, or at a private address that was not allowed
 * @throws the reason of `signal`
 */
export async function examine(target: string, options: ExamineOptions = {}): Promise<Report> {
  const url = targetUrl(target);
  const now = options.now ?? systemNow;
  const targetIsLoopback = isLoopbackUrl(url);
  const started = now().getTime();
  const http = createHttpClient({
    policy: { allowPrivate: options.allowPrivate ?? false, targetIsLoopback },
    resolve: options.resolve ?? systemResolve,
    requestsPerSecond:
      options.requestsPerSecond ??
      (targetIsLoopback ? LOOPBACK_REQUESTS_PER_SECOND : REQUESTS_PER_SECOND),
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    now,
    signal: options.signal,
  });
  const { examination, ledger } = openExamination({
    target: url,
    targetIsLoopback,
    http,
    now,
    random: options.random ?? systemRandom,
    onProgress: options.onProgress ?? (() => undefined),
  });
  try {
    const outcome = await runSteps(examination, options);
    const { findings } = ledger;
    const reachable = outcome.unreachableReason === undefined;
    const isFine = findings.every(({ severity }) => severity !== 'error');
    return {
      target: url.href,
      ok: reachable && outcome.credentialsRefused === undefined && isFine,
      reachable,
      ...outcome,
      findings,
      steps: reachable ? ledger.steps() : ledger.steps().map(unreached),
      requests: http.count(),
      durationMs: now().getTime() - started,
    };
  } finally {
    await http.close();
  }
}

/** Without an answer the first step has failed, although there is no finding: nothing is known of the server. */
function unreached(step: StepReport): StepReport {
  return step.step === 'reach' ? { ...step, outcome: 'failed' } : step;
}

function targetUrl(text: string): URL {
  if (!URL.canParse(text))
    throw new ExamineError('the address is not a URL; write it with https://');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new ExamineError(
      `the address begins with ${url.protocol}; MCP servers are examined over https or http`,
    );
  if (url.username !== '' || url.password !== '')
    throw new ExamineError('the address holds a user name or password; leave them out');
  url.hash = '';
  return url;
}
