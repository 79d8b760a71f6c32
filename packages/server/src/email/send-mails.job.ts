import type { App } from '../runtime/context.ts';
import { addressOfHost } from '../runtime/safe-fetch.ts';
import { isLoopback } from '../runtime/safe-fetch-address.ts';
import { type Delivery, listDeliveries } from './email-servers.store.ts';
import { openServer } from './email-servers.ts';
import {
  claimMails,
  countWaiting,
  deleteMailsExpiredBefore,
  type MailRow,
  markFailed,
  markSent,
} from './mails.store.ts';
import { openMail } from './mails.ts';
import { openOwnServer, openSmtp, type SendMail, type Smtp } from './smtp.ts';

const LEASE_MS = 120_000;
const BATCH = 20;
const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 300_000;
/** How long an ended mail stays: the development mailbox shows it, elsewhere only when it was sent. */
const KEEP_MS = 7 * 86_400_000;

/**
 * Sends what waits in the outbox. A mail is claimed for two minutes before it is sent, so that other processes leave it alone;
 * one that dies in between sends it twice at worst, and never loses it. Call it often: with nothing to do it is one query.
 */
export async function sendMails(app: App): Promise<void> {
  const now = app.now();
  const claimed = await claimMails(app.db, {
    now,
    leaseUntil: new Date(now.getTime() + LEASE_MS),
    limit: BATCH,
    everywhere: app.config.mail !== undefined,
  });
  if (claimed.length === 0) return;
  const environmentIds = [...new Set(claimed.map(({ environmentId }) => environmentId))];
  const deliveries = await listDeliveries(app.db, environmentIds);
  await Promise.all(
    environmentIds.map(async (environmentId) => {
      const delivery = deliveries.find((found) => found.environmentId === environmentId);
      const rows = claimed.filter((row) => row.environmentId === environmentId);
      await sendAll(app, delivery ?? { environmentId }, rows);
    }),
  );
}

/** Sends mails of one environment through its own server, or else through that of the configuration. */
async function sendAll(app: App, delivery: Delivery, rows: readonly MailRow[]): Promise<void> {
  let opening: Promise<Smtp> | undefined;
  const send: SendMail = async (mail) => {
    opening ??= openFor(app, delivery);
    await (await opening).send(mail);
  };
  await Promise.all(rows.map((row) => sendOne(app, send, row)));
  await opening?.then(
    (smtp) => smtp.close(),
    () => undefined, // it failed each mail
  );
}

/** @throws {Error} with a code: there is no server, or its host must not be dialled */
async function openFor(app: App, delivery: Delivery): Promise<Smtp> {
  const { mail, allowLoopbackClients } = app.config;
  if (delivery.server) {
    const server = openServer(app, delivery.server);
    const found = await addressOfHost(server.host, { allowLoopback: allowLoopbackClients });
    if ('refused' in found)
      throw Object.assign(new Error('the mail server cannot be dialled'), {
        code: `host: ${found.refused}`,
      });
    // Loopback is only ever an answer where development allows it.
    return openOwnServer(server, { ...found, plain: isLoopback(found.address) });
  }
  if (!mail) throw Object.assign(new Error('there is no mail server'), { code: 'no server' });
  return openSmtp({ ...mail, fromName: delivery.defaultFromName });
}

/** Forgets old mails and says how many wait. Once a minute is enough. */
export async function sweepMails(app: App): Promise<void> {
  const now = app.now();
  await deleteMailsExpiredBefore(app.db, new Date(now.getTime() - KEEP_MS));
  app.metrics.gauge('gatewarden_outbox_pending', await countWaiting(app.db, now));
}

async function sendOne(app: App, send: SendMail, row: MailRow): Promise<void> {
  const { environmentId, id } = row;
  try {
    await send(openMail(app, row));
  } catch (error) {
    const failure = failureOf(error);
    app.metrics.count('gatewarden_mails_total', { outcome: 'failed' });
    app.log.warn(
      { environmentId, mailId: id, attempts: row.attempts, failure: failure.text },
      'a mail was not sent',
    );
    await markFailed(app.db, {
      environmentId,
      id,
      error: failure.text,
      nextAttemptAt: failure.permanent ? undefined : retryAt(app.now(), row),
    });
    return;
  }
  app.metrics.count('gatewarden_mails_total', { outcome: 'sent' });
  await markSent(app.db, {
    environmentId,
    id,
    now: app.now(),
    forget: app.config.mode !== 'dev',
  });
}

function retryAt(now: Date, row: MailRow): Date {
  const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.max(0, row.attempts - 1));
  return new Date(now.getTime() + wait);
}

/** What an operator may read: the server's reply code, never its text, which repeats addresses and may repeat content. */
function failureOf(error: unknown): { text: string; permanent: boolean } {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const reply =
    error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : undefined;
  // 5xx is the server's final word (RFC 5321 §4.2.1); a failed login may be put right by the operator.
  const permanent = reply !== undefined && reply >= 500 && reply < 600 && code !== 'EAUTH';
  return { text: reply === undefined ? code : `${code} ${reply}`, permanent };
}
