import { clearingSteps } from './error-clearing.ts';
import { developerRows } from './error-developer.ts';
import { type ErrorModel, type Problem, problemFacts } from './error-problem.ts';
import { type Html, html, safeUrl } from './html.ts';
import { type Frame, renderPage } from './layout.ts';
import { type Locale, rich, t } from './messages.ts';
import { cleanName, destination, disclosure, outsideLink, rows, strangersName } from './parts.ts';

/** The error page: what happened, why, what to do, and the rest folded for developers (hosted-pages 3.9). */
export function errorPage(frame: Frame, model: ErrorModel): Html {
  const { locale } = frame;
  const { title, why, next } = words(locale, model.problem);
  const { code } = problemFacts(model.problem);
  const main = html`<h1>${title}</h1>
${why}
${next}
${model.contact !== undefined && html`<p class="help">${t(locale, 'errors.contact', { contact: model.contact })}</p>`}
${disclosure(t(locale, 'errors.details'), rows(developerRows(locale, model)))}`;
  return renderPage(frame, { title: title.replace(/\.$/, ''), main, error: code });
}

type Words = { title: string; why: Html; next?: Html | false | undefined };

function words(locale: Locale, problem: Problem): Words {
  const say = (text: string): Html => html`<p>${text}</p>`;
  switch (problem.kind) {
    case 'unknown-client':
      return {
        title:
          problem.clientName === undefined
            ? t(locale, 'errors.client.title')
            : t(locale, 'errors.client.titleNamed', { client: cleanName(problem.clientName) }),
        why: say(t(locale, 'errors.client.why')),
        next: clearingSteps(locale, problem.likely),
      };
    case 'redirect-uri-not-registered':
      return {
        title: t(locale, 'errors.redirect.title', { client: cleanName(problem.clientName) }),
        why: say(t(locale, 'errors.redirect.why')),
        next: say(t(locale, 'errors.redirect.do')),
      };
    case 'document-failed':
      return {
        title: t(locale, 'errors.document.title', { host: problem.host }),
        why: say(t(locale, 'errors.document.why')),
      };
    case 'client-host-not-allowed':
      return {
        title: t(locale, 'errors.hostNotAllowed.title', {
          server: problem.server,
          host: problem.host,
        }),
        why: say(t(locale, 'errors.hostNotAllowed.why')),
      };
    case 'documents-off':
      return {
        title: t(locale, 'errors.documentsOff.title', { server: problem.server }),
        why: say(t(locale, 'errors.documentsOff.why')),
      };
    case 'unknown-resource':
      return {
        title: t(locale, 'errors.resource.title', { client: cleanName(problem.clientName) }),
        why: say(t(locale, 'errors.resource.why')),
        next: returnLink(locale, problem),
      };
    case 'untrusted-client':
      return {
        title: t(locale, 'errors.untrusted.title', { client: cleanName(problem.clientName) }),
        why: html`${say(t(locale, 'errors.untrusted.why'))}<p class="help"><code>${problem.code}</code>: ${problem.description}</p>`,
        next: returnLink(locale, problem),
      };
    default:
      return flowWords(locale, problem);
  }
}

type FlowProblem = Exclude<
  Problem,
  {
    kind:
      | 'unknown-client'
      | 'redirect-uri-not-registered'
      | 'document-failed'
      | 'client-host-not-allowed'
      | 'documents-off'
      | 'unknown-resource'
      | 'untrusted-client';
  }
>;

function flowWords(locale: Locale, problem: FlowProblem): Words {
  const say = (text: string): Html => html`<p>${text}</p>`;
  switch (problem.kind) {
    case 'other-browser':
      return {
        title: t(locale, 'errors.otherBrowser.title'),
        why: say(t(locale, 'errors.otherBrowser.why')),
      };
    case 'expired':
      return {
        title: t(locale, 'errors.expired.title'),
        why: say(t(locale, 'errors.expired.why')),
        next: startAgain(locale, problem),
      };
    case 'cookies-blocked':
      return {
        title: t(locale, 'errors.cookies.title'),
        why: say(t(locale, 'errors.cookies.why', { host: problem.host })),
      };
    case 'too-many-requests':
      return {
        title: t(locale, 'errors.tooMany.title'),
        why: say(t(locale, 'errors.tooMany.why', { count: problem.seconds })),
      };
    case 'unavailable':
      return {
        title: t(locale, 'errors.down.title'),
        why: say(t(locale, 'errors.down.why')),
        next: action(problem.retryUrl, t(locale, 'errors.tryAgain')),
      };
    case 'unexpected':
      return {
        title: t(locale, 'errors.unexpected.title'),
        why: say(t(locale, 'errors.unexpected.why')),
        next: action(problem.retryUrl, t(locale, 'errors.tryAgain')),
      };
    case 'no-context':
      return {
        title: t(locale, 'errors.context.title'),
        why: say(t(locale, 'errors.context.why')),
        next: appLinks(problem.apps),
      };
    case 'forbidden':
      return {
        title: t(locale, 'errors.forbidden.title'),
        why: say(t(locale, 'errors.forbidden.why')),
      };
    case 'already-decided':
      return {
        title: t(locale, 'errors.decided.title'),
        why: html`<p>${rich(locale, 'errors.decided.why', { client: strangersName(problem.clientName) })}</p>`,
      };
    case 'denied':
      return {
        title: problem.message ?? t(locale, 'errors.denied.title', { app: problem.app }),
        why: say(t(locale, 'errors.denied.why')),
      };
    case 'suspended':
      return {
        title: t(locale, 'errors.suspended.title'),
        why: say(t(locale, 'errors.suspended.why', { app: problem.app })),
      };
    case 'sign-in-unfinished':
      return {
        title: t(locale, 'errors.unfinished.title'),
        why: say(t(locale, 'errors.unfinished.why', { app: problem.app })),
      };
    case 'invitation-over':
      return {
        title: t(locale, 'errors.invitation.title'),
        why: say(t(locale, 'errors.invitation.why')),
      };
    case 'setup-link-ended':
      return {
        title: t(locale, 'errors.setupLink.title'),
        why: say(t(locale, 'errors.setupLink.why')),
      };
    case 'not-found':
      return {
        title: t(locale, 'errors.notFound.title'),
        why: say(t(locale, 'errors.notFound.why')),
      };
  }
}

/** "Return to {host}" with the OAuth error: for web hosts only, an app's own scheme gets no link (AS-144). */
function returnLink(
  locale: Locale,
  problem: Extract<Problem, { kind: 'untrusted-client' | 'unknown-resource' }>,
): Html {
  const host = destination(locale, problem.redirect, problem.clientName);
  if (problem.redirect.kind === 'app') {
    return html`<p>${rich(locale, 'errors.untrusted.app', { client: strangersName(problem.clientName) })}</p>`;
  }
  if (safeUrl(problem.returnUrl) === undefined)
    return html`<p>${rich(locale, 'errors.untrusted.signedOut', { host })}</p>`;
  return outsideLink(problem.returnUrl, rich(locale, 'errors.return', { host }), 'secondary');
}

function startAgain(locale: Locale, problem: Extract<Problem, { kind: 'expired' }>): Html | false {
  const link = action(problem.startAgainUrl, t(locale, 'errors.startAgain'));
  if (link !== false) return link;
  if (problem.clientName === undefined) return false;
  return html`<p>${rich(locale, 'errors.expired.do', { client: strangersName(problem.clientName) })}</p>`;
}

function action(address: string | undefined, label: string): Html | false {
  if (address === undefined) return false;
  // A path of ours begins with one slash; everything else must be a web address.
  const url = /^\/(?![/\\])/.test(address) ? address : safeUrl(address);
  return url !== undefined && html`<a class="primary" href="${url}">${label}</a>`;
}

function appLinks(apps: readonly { name: string; url: string }[] | undefined): Html | false {
  if (apps === undefined || apps.length === 0) return false;
  return html`<ul class="choices">${apps.map((app) => html`<li>${outsideLink(app.url, html`<bdi>${app.name}</bdi>`, 'secondary')}</li>`)}</ul>`;
}
