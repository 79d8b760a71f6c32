import { randomUUID } from 'node:crypto';

/** Milliseconds since 1970 by this machine's clock. */
export const machineNow = (): Date => new Date();

/** An id for one request that nobody can guess. */
export const newRequestId = (): string => randomUUID();

/** Milliseconds that only grow, for durations. */
export const elapsedMs = (): number => performance.now();
