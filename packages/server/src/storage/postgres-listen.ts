import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { checkChannel, type Database, DatabaseUnavailable } from './db.ts';
import { failureOf } from './failures.ts';

type Log = (message: string, fields: Record<string, unknown>) => void;
export type Listener = { listen: Database['listen']; close(): Promise<void> };

/** One connection for LISTEN, opened with the first channel and opened again for as long as anybody listens. */
export function openListener(config: pg.ClientConfig, log: Log): Listener {
  const channels = new Map<string, Set<(payload: string) => void>>();
  const stopping = new AbortController();
  let current: Promise<pg.Client> | undefined;

  function deliver(channel: string, payload: string): void {
    for (const onMessage of channels.get(channel) ?? []) {
      try {
        onMessage(payload);
      } catch (error) {
        log('a listener failed', { channel, reason: String(error) });
      }
    }
  }

  async function connect(): Promise<pg.Client> {
    const client = new pg.Client({ ...config, query_timeout: 10_000 });
    client.on('notification', ({ channel, payload }) => deliver(channel, payload ?? ''));
    // After an error the driver says 'end' as well.
    client.on('error', () => undefined);
    try {
      await client.connect();
      for (const channel of channels.keys()) await client.query(`listen ${channel}`);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw failureOf(error);
    }
    const beat = setInterval(() => {
      // A peer that vanished without a word is found out here; ending is what starts the search for a new one.
      client.query('select 1').catch(() => client.end());
    }, 20_000).unref();
    client.once('end', () => {
      clearInterval(beat);
      if (!stopping.signal.aborted) current = reconnect();
      current?.catch(() => undefined);
    });
    return client;
  }

  async function reconnect(): Promise<pg.Client> {
    log('database connection for notifications lost', {});
    for (let wait = 100; ; wait = Math.min(wait * 2, 5000)) {
      await pause(wait, undefined, { signal: stopping.signal });
      try {
        const client = await connect();
        for (const channel of channels.keys()) deliver(channel, '');
        return client;
      } catch {
        // Next round; that the database is away is logged once and seen by every statement.
      }
    }
  }

  function open(): Promise<pg.Client> {
    const opening = connect();
    // The next caller tries anew.
    opening.catch(() => {
      if (current === opening) current = undefined;
    });
    return opening;
  }

  return {
    listen: async (channel, onMessage) => {
      checkChannel(channel);
      if (stopping.signal.aborted) throw new DatabaseUnavailable('the database is closed');
      const listeners = channels.get(channel) ?? new Set();
      const first = listeners.size === 0;
      channels.set(channel, listeners.add(onMessage));
      try {
        current ??= open();
        const client = await current;
        if (first) await client.query(`listen ${channel}`);
      } catch (error) {
        listeners.delete(onMessage);
        throw failureOf(error);
      }
      return async () => {
        listeners.delete(onMessage);
        if (listeners.size > 0 || channels.get(channel) !== listeners) return;
        channels.delete(channel);
        // With the connection gone there is nothing to take back.
        await current?.then((client) => client.query(`unlisten ${channel}`)).catch(() => undefined);
      };
    },
    close: async () => {
      stopping.abort();
      await current?.then((client) => client.end()).catch(() => undefined);
    },
  };
}
