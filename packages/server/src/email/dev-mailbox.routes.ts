import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { setCookie } from '../http/cookies.ts';
import { readQuery } from '../http/forms.ts';
import { RequestError } from '../http/request-error.ts';
import { pageHeaders } from '../http/security-headers.ts';
import { type Html, html, safeUrl } from '../pages/html.ts';
import { renderPage } from '../pages/layout.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { developmentRefusal, EXPOSE_COOKIE } from './dev-access.ts';
import { type Mail, readMailbox } from './mails.ts';

const MOST_MAILS = 100;
const COOKIE_VALUE = /^[A-Za-z0-9_.~-]{1,200}$/;

/** The development mailbox: mail for people at `/dev/mailbox`, for tests at `/dev/mailbox.json`. Does not exist in `serve`. */
export function mountDevMailbox(
  app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  if (app.config.mode !== 'dev') return;
  http.get('/dev/mailbox.json', async (request, reply) => {
    const ctx = enter(app, contextOf, request, reply);
    const mails = await readMailbox(ctx, { recipient: recipientOf(request), limit: MOST_MAILS });
    return reply
      .header('cache-control', 'no-store')
      .type('application/json; charset=utf-8')
      .send(JSON.stringify(mails.map(toJson)));
  });
  http.get('/dev/mailbox', { config: { page: true } }, async (request, reply) => {
    const ctx = enter(app, contextOf, request, reply);
    const mails = await readMailbox(ctx, { recipient: recipientOf(request), limit: MOST_MAILS });
    const https = ctx.issuer.startsWith('https:');
    return reply
      .headers(pageHeaders({ formAction: 'self', https }))
      .type('text/html; charset=utf-8')
      .send(mailboxPage(ctx, mails).toString());
  });
}

/** @throws {RequestError} 403: AS-152 does not let this request in */
function enter(
  app: App,
  contextOf: (request: FastifyRequest) => Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
): Ctx {
  const refusal = developmentRefusal(app, request);
  if (refusal === 'token') {
    throw new RequestError(
      403,
      'this server can be reached from other machines: add ?token= with the token it printed at start',
    );
  }
  if (refusal !== undefined) {
    throw new RequestError(
      403,
      'the development mailbox answers only to this machine and to its own pages',
    );
  }
  const token = readQuery(request).params['token'];
  if (app.config.exposeToken !== undefined && token !== undefined && COOKIE_VALUE.test(token)) {
    setCookie(request, reply, EXPOSE_COOKIE, token);
  }
  return contextOf(request);
}

function recipientOf(request: FastifyRequest): string | undefined {
  return readQuery(request).params['to'];
}

function toJson(mail: Mail): Record<string, string | undefined> {
  const { id, to, subject, text, html, code, link } = mail;
  return { id, to, subject, text, html, sentAt: mail.createdAt.toISOString(), code, link };
}

function mailboxPage(ctx: Ctx, mails: readonly Mail[]): Html {
  const title = 'Development mailbox';
  const list = mails.map((mail) => {
    const link = safeUrl(mail.link);
    return html`<li><h2>${mail.subject}</h2>
<p class="help">To <bdi>${mail.to}</bdi>, <time>${mail.createdAt.toISOString()}</time></p>
${mail.code !== undefined && html`<p>Code: <code>${mail.code}</code></p>`}
${link !== undefined && html`<p><a href="${link}">Open the link</a></p>`}
<details><summary>Text</summary><pre>${mail.text}</pre></details></li>`;
  });
  const empty = html`<p>No mail yet. Mail that this server sends appears here; nothing leaves the machine.</p>`;
  const main = html`<h1>${title}</h1>
${list.length === 0 ? empty : html`<ul>${list}</ul>`}`;
  return renderPage(
    { locale: 'en', reference: ctx.requestId, brand: { name: 'Gatewarden' } },
    { title, main },
  );
}
