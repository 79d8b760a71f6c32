import type { Ctx } from '../runtime/context.ts';
import { isOriginOfApplication } from './authorized-origins.store.ts';

/**
 * The origin itself if pages there may show ours: an application of the environment has a redirect URI there. Whoever asks
 * learns nothing about others, so nobody can list the customers of an environment.
 *
 * @param text an origin (`https://app.example.com`), or a host alone for https
 */
export async function authorizedOrigin(ctx: Ctx, text: string): Promise<string | undefined> {
  const origin = originOf(text);
  if (origin === undefined) return undefined;
  if (origin === ctx.issuer) return origin;
  const { environmentId } = ctx;
  return (await isOriginOfApplication(ctx.db, { environmentId, origin })) ? origin : undefined;
}

function originOf(text: string): string | undefined {
  const address = /^https?:\/\//i.test(text) ? text : `https://${text}`;
  if (!/^https?:\/\/[^/?#@\\\s]+\/?$/i.test(address) || !URL.canParse(address)) return undefined;
  const { origin } = new URL(address);
  return origin === 'null' ? undefined : origin;
}
