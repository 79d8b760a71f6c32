import type { ClientVerdict, Finding, Report, StepReport } from './report.ts';

export type TextOptions = {
  readonly color: boolean;
  /** Tell everything of this client, and only of it. */
  readonly client?: string | undefined;
};

type Paint = (text: string) => string;
type Palette = {
  readonly red: Paint;
  readonly yellow: Paint;
  readonly green: Paint;
  readonly dim: Paint;
  readonly bold: Paint;
};

const MARKS = { passed: '✓', failed: '✗', 'not reached': '·' } as const;

function palette(color: boolean): Palette {
  const paint =
    (code: number): Paint =>
    (text) =>
      color ? `\u001b[${code}m${text}\u001b[0m` : text;
  return { red: paint(31), yellow: paint(33), green: paint(32), dim: paint(2), bold: paint(1) };
}

/** The report for people. Everything a server said has been made printable before. */
export function textReport(report: Report, options: TextOptions): string {
  const paint = palette(options.color);
  const chosen = report.clients.filter(
    ({ name }) => options.client === undefined || name === options.client,
  );
  const lines = [
    paint.bold(report.target),
    '',
    ...report.steps.flatMap((step) => stepLines(step, report.findings, paint)),
    ...report.findings.flatMap((finding) => ['', ...findingLines(finding, paint)]),
    ...(chosen.length > 0 ? ['', paint.bold('Clients')] : []),
    ...chosen.flatMap((client) => clientLines(client, options.client !== undefined, paint)),
    '',
    summary(report, paint),
  ];
  return `${lines.join('\n')}\n`;
}

function stepLines(step: StepReport, findings: readonly Finding[], paint: Palette): string[] {
  const own = findings.filter((finding) => finding.step === step.step);
  const onlyWarnings = own.length > 0 && own.every(({ severity }) => severity === 'warning');
  const color = step.outcome === 'passed' ? paint.green : onlyWarnings ? paint.yellow : paint.red;
  const mark = onlyWarnings ? '!' : MARKS[step.outcome];
  const ids = own.length > 0 ? `  ${own.map(({ id }) => id).join(', ')}` : '';
  const isUnasked = step.step === 'login' && step.notes.length === 0;
  const why = isUnasked ? 'only with --login' : 'not reached';
  const name = step.outcome === 'not reached' ? `${step.step} (${why})` : step.step;
  const head = `  ${step.outcome === 'not reached' ? mark : color(mark)} ${name}${ids}`;
  return [head, ...step.notes.map((note) => paint.dim(`      ${note}`))];
}

function findingLines(
  { id, severity, message, evidence, rule, fix }: Finding,
  paint: Palette,
): string[] {
  const color = severity === 'error' ? paint.red : paint.yellow;
  return [
    `${color(severity)} ${paint.bold(id)}: ${message}`,
    `    seen  ${evidence}`,
    `    rule  ${rule.source}, ${rule.section}: ${rule.says}`,
    `    fix   ${fix}`,
  ];
}

function clientLines(client: ClientVerdict, inDetail: boolean, paint: Palette): string[] {
  const mark =
    client.outcome === 'through'
      ? paint.green('✓')
      : client.outcome === 'by-hand'
        ? paint.yellow('!')
        : paint.red('✗');
  const how = [client.registration, client.authMethod].filter(
    (one) => one !== undefined && one !== 'none',
  );
  const why = client.reasons.join('; ') || how.join(', ');
  const line = `  ${mark} ${client.name.padEnd(18)} ${why}`;
  if (!inDetail) return [line];
  return [
    line,
    `      registration   ${client.registration}`,
    `      redirect URIs  ${client.redirectUris.join(', ')}`,
    `      token endpoint ${client.authMethod ?? 'no common method'}`,
    ...client.remarks.map((remark) => paint.dim(`      ${remark}`)),
  ];
}

function summary(
  { findings, requests, durationMs, ok, credentialsRefused }: Report,
  paint: Palette,
): string {
  if (credentialsRefused !== undefined)
    return paint.red(`Credentials refused: ${credentialsRefused}.`);
  const count = (severity: Finding['severity']): number =>
    findings.filter((finding) => finding.severity === severity).length;
  const said = `${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}`;
  const work = paint.dim(`(${requests} requests, ${(durationMs / 1000).toFixed(1)} s)`);
  return `${ok ? paint.green(findings.length === 0 ? 'Nothing found' : said) : paint.red(said)} ${work}`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
