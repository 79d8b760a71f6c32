import type { App } from '../runtime/context.ts';
import { deleteLoginRequests } from './login-requests.store.ts';
import { deleteOverPartnerLogins } from './partner-logins.store.ts';
import { deletePasswordlessRequests } from './passwordless.store.ts';
import { deleteCodesExpiredBefore } from './sign-in-codes.store.ts';

/** A day, so that a bookmarked page can still say that it took too long. */
const KEEP_MS = 86_400_000;

/** Forgets logins, codes and sign-ins without pages that are over. Once a minute is enough. */
export async function sweepLogins(app: App): Promise<void> {
  const now = app.now();
  const expiredBefore = new Date(now.getTime() - KEEP_MS);
  await deleteLoginRequests(app.db, { expiredBefore, now });
  await deleteCodesExpiredBefore(app.db, expiredBefore);
  await deletePasswordlessRequests(app.db, expiredBefore);
  await deleteOverPartnerLogins(app.db, { before: expiredBefore, limit: 10_000 });
}
