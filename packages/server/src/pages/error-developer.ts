import { difference, nearest } from './difference.ts';
import { type ErrorModel, type Problem, problemFacts } from './error-problem.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { type Locale, type MessageKey, t } from './messages.ts';
import { cleanName, type Row } from './parts.ts';
import { redirectLabel } from './redirect-target.ts';

/** Longest received value shown: enough to see what is wrong, not enough to fill the page. */
const VALUE_MAX = 2000;

/**
 * The developer block: what was received against what was expected. In production the registered values are
 * counted, not shown, and reasons of failed fetches stay in the timeline (AS-79).
 */
export function developerRows(locale: Locale, model: ErrorModel): Row[] {
  const { status, code } = problemFacts(model.problem);
  const row = (key: MessageKey, value: HtmlValue): Row => ({ label: t(locale, key), value });
  return [
    row('dev.error', html`<code>${code}</code>`),
    row('dev.status', status),
    ...problemRows(locale, model, row),
    row('dev.time', html`<time>${model.time.toISOString()}</time>`),
  ];
}

type MakeRow = (key: MessageKey, value: HtmlValue) => Row;

function problemRows(locale: Locale, { problem, mode }: ErrorModel, row: MakeRow): Row[] {
  const isDevelopment = mode === 'development';
  const given = (key: MessageKey, value: string | undefined): Row[] =>
    value === undefined ? [] : [row(key, code(value))];
  switch (problem.kind) {
    case 'unknown-client':
      return [
        row('dev.clientId', code(problem.clientId)),
        ...given('dev.deletedAt', problem.deletedAt?.toISOString()),
        row('dev.fix', t(locale, 'dev.fixClient')),
        row('dev.spec', 'RFC 6749 §4.1.2.1'),
      ];
    case 'redirect-uri-not-registered':
      return [
        row('dev.clientId', code(problem.clientId)),
        ...compared(locale, problem.received, problem.registered, isDevelopment, row),
        row('dev.fix', t(locale, 'dev.fixRedirect', { client: cleanName(problem.clientName) })),
        row('dev.spec', 'RFC 6749 §3.1.2.3, RFC 9700 §4.1.3'),
      ];
    case 'document-failed':
      return [
        row('dev.document', code(problem.url)),
        ...(isDevelopment ? given('dev.reason', problem.reason) : []),
      ];
    case 'client-host-not-allowed':
      return given('dev.policy', problem.policy);
    case 'documents-off':
      return [row('dev.clientId', code(problem.clientId))];
    case 'unknown-resource':
      return [
        row('dev.destination', code(redirectLabel(problem.redirect))),
        ...compared(locale, problem.received ?? '', problem.registered, isDevelopment, row),
        row('dev.fix', t(locale, 'dev.fixResource')),
        row('dev.spec', 'RFC 8707 §2'),
      ];
    case 'untrusted-client':
      return [
        row('dev.client', cleanName(problem.clientName)),
        row('dev.destination', code(redirectLabel(problem.redirect))),
        row('dev.description', problem.description),
        row('dev.spec', 'RFC 9700 §4.11.2'),
      ];
    default:
      return smallRows(locale, problem, row, given);
  }
}

function smallRows(
  locale: Locale,
  problem: Problem,
  row: MakeRow,
  given: (key: MessageKey, value: string | undefined) => Row[],
): Row[] {
  switch (problem.kind) {
    case 'expired':
      return given('dev.age', problem.age);
    case 'cookies-blocked':
      return [row('dev.cookie', code(problem.cookie)), row('dev.fix', t(locale, 'dev.fixCookie'))];
    case 'too-many-requests':
      return given('dev.limiter', problem.limiter);
    case 'unavailable':
      return given('dev.component', problem.component);
    case 'no-context':
      return given('dev.missing', problem.missing?.join(', '));
    case 'denied':
      return given('dev.policy', problem.rule);
    default:
      return [];
  }
}

function compared(
  locale: Locale,
  received: string,
  registered: readonly string[],
  isDevelopment: boolean,
  row: MakeRow,
): Row[] {
  const count = row(
    'dev.registered',
    t(locale, 'dev.registeredCount', { count: registered.length }),
  );
  const closest = isDevelopment ? nearest(received, registered) : undefined;
  if (closest === undefined) return [row('dev.received', code(received)), count];
  const parts = difference(received, closest);
  return [
    row(
      'dev.received',
      html`<code class="value">${parts.start}<del>${parts.left}</del>${parts.end}</code>`,
    ),
    row(
      'dev.nearest',
      html`<code class="value">${parts.start}<ins>${parts.right}</ins>${parts.end}</code>`,
    ),
    count,
  ];
}

function code(value: string): Html {
  return html`<code class="value">${value.length > VALUE_MAX ? `${value.slice(0, VALUE_MAX)}…` : value}</code>`;
}
