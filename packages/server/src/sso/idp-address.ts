import { isLoopbackHost } from '../runtime/config.ts';
import type { Ctx } from '../runtime/context.ts';

const LONGEST = 2_048;

/**
 * Why people or we cannot be sent to an address, as a sentence; undefined when it may be kept. Whether it may be fetched is
 * decided when it is.
 */
export function addressProblem(ctx: Ctx, text: string, httpToo: boolean): string | undefined {
  if (text.length > LONGEST) return `must have at most ${LONGEST} characters`;
  if (!/^https?:\/\/[\x21-\x7e]+$/i.test(text) || /[\\"<>^`{|}]/.test(text)) return 'must be a URL';
  if (!URL.canParse(text)) return 'must be a URL';
  const { protocol, hostname, username, password, hash } = new URL(text);
  if (username !== '' || password !== '') return 'must have no user info';
  if (hash !== '' || text.endsWith('#')) return 'must have no fragment';
  if (protocol === 'https:' || httpToo) return undefined;
  return ctx.config.mode === 'dev' && isLoopbackHost(hostname)
    ? undefined
    : 'must be an https URL, or the connection must have debug_enabled';
}
