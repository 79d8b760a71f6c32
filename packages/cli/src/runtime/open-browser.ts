import { spawn } from 'node:child_process';

/** Beyond it command lines and browsers refuse; whoever registers a client chooses how long its id is. */
const LONGEST = 8_000;

/** Opens an address in the person's browser, if this machine has a way to. No shell sees the address. */
export function openInBrowser(address: string): void {
  const { protocol, href } = new URL(address);
  if ((protocol !== 'https:' && protocol !== 'http:') || href.length > LONGEST) return;
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open', href]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', href]
        : ['xdg-open', href];
  if (command === undefined) return;
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.on('error', () => undefined); // the address is printed too
  child.unref();
}
