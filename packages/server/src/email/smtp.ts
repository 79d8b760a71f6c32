import nodemailer from 'nodemailer';

/** Sends one mail; rejects when the server did not take it. */
export type SendMail = (mail: {
  to: string;
  subject: string;
  text: string;
  html: string;
}) => Promise<void>;

export type Smtp = { readonly send: SendMail; close(): void };

const TIMEOUT_MS = 20_000;

/**
 * The transport to the operator's SMTP server (`smtp://` upgrades by STARTTLS where offered, `smtps://` is TLS from the start).
 * Files and URLs are never read into a mail, whatever its content says.
 */
export function openSmtp(settings: { readonly smtpUrl: string; readonly from: string }): Smtp {
  const transport = nodemailer.createTransport(
    {
      url: settings.smtpUrl,
      pool: true,
      maxConnections: 2,
      connectionTimeout: TIMEOUT_MS,
      greetingTimeout: TIMEOUT_MS,
      socketTimeout: TIMEOUT_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from: settings.from },
  );
  return {
    async send({ to, subject, text, html }) {
      // The address as an object: nothing in it is read as a list of addresses.
      await transport.sendMail({
        to: { name: '', address: to },
        subject,
        text,
        html,
        headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
      });
    },
    close: () => transport.close(),
  };
}
