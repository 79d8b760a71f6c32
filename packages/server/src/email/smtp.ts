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

/** A server that an environment sends its own mails through. */
export type OwnServer = {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly fromEmail: string;
  readonly fromName: string;
};

const COMMON = {
  pool: true,
  maxConnections: 2,
  connectionTimeout: TIMEOUT_MS,
  greetingTimeout: TIMEOUT_MS,
  socketTimeout: TIMEOUT_MS,
  disableFileAccess: true,
  disableUrlAccess: true,
} as const;

/**
 * The transport to the operator's SMTP server (`smtp://` upgrades by STARTTLS where offered, `smtps://` is TLS from the start).
 * Files and URLs are never read into a mail, whatever its content says.
 *
 * @param settings.fromName instead of the name in `from`
 */
export function openSmtp(settings: {
  readonly smtpUrl: string;
  readonly from: string;
  readonly fromName?: string | undefined;
}): Smtp {
  const { smtpUrl, from, fromName } = settings;
  const address = /<([^<>]+)>\s*$/.exec(from)?.[1] ?? from.trim();
  const sender = fromName === undefined ? from : { name: fromName, address };
  return smtpOver(nodemailer.createTransport({ ...COMMON, url: smtpUrl }, { from: sender }));
}

/**
 * The transport to a server that an environment named. The connection goes to an address that was checked. Port 465 is TLS from
 * the start; on every other one the server must offer STARTTLS, or it gets neither password nor mail.
 *
 * @param at.plain go on without TLS where it is not offered: for loopback in development
 */
export function openOwnServer(
  server: OwnServer,
  at: { readonly address: string; readonly plain: boolean },
): Smtp {
  const { port, username, password, fromEmail, fromName } = server;
  const { address, plain } = at;
  const transport = nodemailer.createTransport(
    {
      ...COMMON,
      host: address,
      port,
      secure: port === 465,
      requireTLS: port !== 465 && !plain,
      auth: { user: username, pass: password },
      ...(server.host !== address && { tls: { servername: server.host } }),
    },
    { from: { name: fromName, address: fromEmail } },
  );
  return smtpOver(transport);
}

function smtpOver(
  transport: Pick<ReturnType<typeof nodemailer.createTransport>, 'sendMail' | 'close'>,
): Smtp {
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
