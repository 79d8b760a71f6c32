import type { App, Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import type { SecretRow } from '../runtime/secrets.ts';
import { insertMail, listMails, type MailRow } from './mails.store.ts';

/** A mail in clear, as it is sent and as the development mailbox shows it. */
export type Mail = {
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly createdAt: Date;
  /** Sign-in code and link, in development only. */
  readonly code?: string | undefined;
  readonly link?: string | undefined;
};

export type OutgoingMail = {
  readonly to: string;
  readonly mail: { readonly subject: string; readonly text: string; readonly html: string };
  readonly code?: string | undefined;
  readonly link?: string | undefined;
  /** When it is no longer worth sending. */
  readonly expiresAt: Date;
  /** False: all the work and no mail, for addresses that must look like all others (FSA-22). */
  readonly send: boolean;
};

const ID_ATTEMPTS = 5;

/**
 * Puts a mail into the outbox. Call it with the context of the transaction that needs the mail: both happen, or neither. In
 * development the mail is also one line in the log.
 */
export async function queueMail(ctx: Ctx, outgoing: OutgoingMail): Promise<void> {
  const isDevelopment = ctx.config.mode === 'dev';
  for (let attempt = 0; attempt < ID_ATTEMPTS; attempt += 1) {
    const id = newId(ctx, 'eml');
    const seal = (text: string) =>
      ctx.secrets.seal('mail-at-rest', rowOf(ctx.environmentId, id), Buffer.from(text));
    const { code, link } = outgoing;
    const added = await insertMail(ctx.db, {
      environmentId: ctx.environmentId,
      id,
      recipient: outgoing.to,
      subject: seal(outgoing.mail.subject),
      text: seal(outgoing.mail.text),
      html: seal(outgoing.mail.html),
      code: isDevelopment && code !== undefined ? seal(code) : undefined,
      link: isDevelopment && link !== undefined ? seal(link) : undefined,
      createdAt: ctx.now(),
      expiresAt: outgoing.expiresAt,
      send: outgoing.send,
    });
    if (added) {
      if (isDevelopment && outgoing.send) ctx.log.info({}, developmentLine(outgoing));
      return;
    }
  }
  throw new Error('no free mail id was found');
}

/** Mails of the development mailbox, newest first. */
export async function readMailbox(
  ctx: Ctx,
  by: { readonly recipient: string | undefined; readonly limit: number },
): Promise<Mail[]> {
  const rows = await listMails(ctx.db, { environmentId: ctx.environmentId, ...by });
  return rows.map((row) => openMail(ctx, row));
}

/** @throws {SecretUnreadable} written with an operator key that is no longer configured */
export function openMail(app: Pick<App, 'secrets'>, row: MailRow): Mail {
  const open = (sealed: Uint8Array) =>
    Buffer.from(
      app.secrets.open('mail-at-rest', rowOf(row.environmentId, row.id), sealed),
    ).toString();
  return {
    id: row.id,
    to: row.recipient,
    subject: open(row.subject),
    text: open(row.text),
    html: open(row.html),
    createdAt: row.createdAt,
    code: row.code && open(row.code),
    link: row.link && open(row.link),
  };
}

function rowOf(environmentId: string, id: string): SecretRow {
  return { table: 'mails', environmentId, id };
}

/** The subject of a sign-in mail begins with its code: in development that is what people look for in the log. */
function developmentLine({ to, mail, link }: OutgoingMail): string {
  const line = `mail to ${to}: ${mail.subject}${link === undefined ? '' : ` (${link})`}`;
  return line.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ');
}
