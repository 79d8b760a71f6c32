import { createServer } from 'node:net';
import { UsageError } from './errors.ts';

const TRIES = 50;

/** A port to listen at: the one that was asked for, or from the default on the next that is free. */
export async function choosePort(
  host: string,
  asked: number | undefined,
  fallback: number,
): Promise<number> {
  if (asked !== undefined) {
    const port = await probe(host, asked);
    if (port === undefined)
      throw new UsageError(
        `port ${asked} on ${host} is in use; choose another one with --port, or leave the flag out.`,
      );
    return port;
  }
  for (let port = fallback; port < fallback + TRIES; port += 1)
    if ((await probe(host, port)) !== undefined) return port;
  throw new UsageError(
    `ports ${fallback} to ${fallback + TRIES - 1} on ${host} are all in use; choose one with --port.`,
  );
}

/** The port when it can be bound (0 takes any), otherwise nothing. */
async function probe(host: string, port: number): Promise<number | undefined> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  server.once('error', () => resolve(undefined));
  server.listen({ port, host, exclusive: true }, () => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address ? address.port : undefined));
  });
  return await promise;
}
