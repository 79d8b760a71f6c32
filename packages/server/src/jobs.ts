import { reapClients } from './clients/reap-clients.job.ts';
import { sendMails, sweepMails } from './email/send-mails.job.ts';
import { addUpCounts } from './environments/row-counts.job.ts';
import { cleanUpGrants, eraseSalts } from './grants/clean-up.job.ts';
import { forgetPeople } from './grants/forget-people.job.ts';
import { forgetAuthRequests } from './login/forget-auth-requests.job.ts';
import { sweepLogins } from './login/sweep-logins.job.ts';
import { cleanUpOperatorSessions } from './operators/clean-up.job.ts';
import { cleanUpPortalLinks } from './portal/clean-up.job.ts';
import type { Job } from './runtime/jobs.ts';
import { cleanUpEvents, measureWebhooks } from './webhooks/clean-up.job.ts';
import { deliverWebhooks, finishDeliveries } from './webhooks/deliver.job.ts';
import { tellExpiringCertificates } from './webhooks/expiring-certificates.job.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Background work, with how often each process turns to it. */
export const jobs: readonly Job[] = [
  { name: 'send mails', everyMs: SECOND, run: sendMails },
  { name: 'deliver webhooks', everyMs: SECOND, run: deliverWebhooks, finish: finishDeliveries },
  { name: 'measure webhooks', everyMs: MINUTE, run: measureWebhooks },
  { name: 'tell of certificates', everyMs: 60 * MINUTE, run: tellExpiringCertificates },
  { name: 'clean up events', everyMs: 10 * MINUTE, run: cleanUpEvents },
  { name: 'erase salts of refresh tokens', everyMs: 15 * SECOND, run: eraseSalts },
  { name: 'sweep mails', everyMs: 10 * MINUTE, run: sweepMails },
  { name: 'sweep logins', everyMs: MINUTE, run: sweepLogins },
  { name: 'forget authorization requests', everyMs: 10 * MINUTE, run: forgetAuthRequests },
  { name: 'clean up grants', everyMs: 10 * MINUTE, run: cleanUpGrants },
  { name: 'forget people', everyMs: MINUTE, run: forgetPeople },
  { name: 'clean up operators', everyMs: 10 * MINUTE, run: cleanUpOperatorSessions },
  { name: 'clean up portal links', everyMs: 10 * MINUTE, run: cleanUpPortalLinks },
  { name: 'add up counts', everyMs: 10 * SECOND, run: addUpCounts },
  { name: 'reap clients', everyMs: 60 * MINUTE, run: reapClients },
];
