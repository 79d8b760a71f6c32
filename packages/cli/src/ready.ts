import type { Config, Gatewarden } from '@gatewarden/server';

/** What a started development server tells machines: one line of JSON. */
export type Ready = {
  readonly ready: true;
  readonly environmentUrl: string;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly mailboxUrl: string;
  readonly exposeToken?: string;
  readonly demo?: { readonly mcpUrl: string; readonly resourceId: string };
  readonly pid: number;
};

export function readyOf(
  gatewarden: Gatewarden,
  demo: { mcpUrl: string; resourceId: string } | undefined,
  config: Config,
): Ready {
  return {
    ready: true,
    environmentUrl: gatewarden.url,
    clientId: gatewarden.client.id,
    ...(gatewarden.client.secret === undefined ? {} : { clientSecret: gatewarden.client.secret }),
    mailboxUrl: `${gatewarden.url}/dev/mailbox`,
    ...(config.exposeToken === undefined ? {} : { exposeToken: config.exposeToken }),
    ...(demo ? { demo: { mcpUrl: demo.mcpUrl, resourceId: demo.resourceId } } : {}),
    pid: process.pid,
  };
}

/** The same for people. */
export function block(ready: Ready, env: Readonly<Record<string, string | undefined>>): string {
  const color = env['NO_COLOR'] === undefined && process.stdout.isTTY;
  const bold = (text: string): string => (color ? `\x1b[1m${text}\x1b[0m` : text);
  const line = (label: string, value: string): string => `  ${label.padEnd(14)}${value}\n`;
  const demo = ready.demo
    ? `\n${line('Demo server', bold(ready.demo.mcpUrl))}${line('', `point any MCP client at it, for example: npx @modelcontextprotocol/inspector`)}${line('Resource id', ready.demo.resourceId)}`
    : '';
  return `\n  ${bold('Gatewarden is ready')}\n\n${line('Environment', bold(ready.environmentUrl))}${line('Mailbox', `${ready.mailboxUrl}  (sign-in codes arrive here)`)}${line('Test users', 'any address like you+sktest@example.com signs in with code 424242')}${
    ready.exposeToken === undefined
      ? ''
      : line(
          'Token',
          `${ready.exposeToken}  (mailbox and static codes from other machines need it)`,
        )
  }${demo}\n  For an application, and to register MCP servers of your own:\n\n  SCALEKIT_ENVIRONMENT_URL=${ready.environmentUrl}\n  SCALEKIT_CLIENT_ID=${ready.clientId}\n  ${ready.clientSecret === undefined ? '# SCALEKIT_CLIENT_SECRET was shown when the client was made' : `SCALEKIT_CLIENT_SECRET=${ready.clientSecret}`}\n\n  Ctrl-C stops it.\n\n`;
}
