// The process that asks: closed loop, so many connections, each sends its next request when its answer has come.
import { type Connection, openConnection } from './connection.ts';
import type { Body, Job, Outcome } from './load.ts';
import { percentile } from './statistics.ts';

/** Gives the next request, or undefined when what was prepared is used up. */
type Source = { next(): string | undefined; answered(body: string): void };

function sourceOf(job: Job, tokens: string[]): Source {
  const head = (length: number): string =>
    [
      `${job.method} ${job.path} HTTP/1.1`,
      `host: localhost:${job.port}`,
      ...Object.entries(job.headers).map(([name, value]) => `${name}: ${value}`),
      ...(job.method === 'POST' ? [`content-length: ${length}`] : []),
      '\r\n',
    ].join('\r\n');
  const request = (body: string): string => `${head(Buffer.byteLength(body))}${body}`;
  const harvest = (answer: string): void => {
    const token = /"refresh_token":"([^"]+)"/.exec(answer)?.[1];
    if (token !== undefined) tokens.push(token);
  };
  return { next: nextOf(job.body, request, tokens), answered: harvest };
}

function nextOf(
  body: Body,
  request: (body: string) => string,
  tokens: string[],
): () => string | undefined {
  switch (body.kind) {
    case 'same': {
      const whole = request(body.text);
      return () => whole;
    }
    case 'counted': {
      let count = body.from;
      return () => {
        count += 1;
        return request(`${body.before}${count}${body.after}`);
      };
    }
    case 'once': {
      const values = body.values.values();
      return () => {
        const { value } = values.next();
        return value === undefined ? undefined : request(`${body.before}${value}`);
      };
    }
    case 'rotating':
      tokens.push(...body.values);
      return () => {
        const token = tokens.shift();
        return token === undefined ? undefined : request(`${body.before}${token}`);
      };
  }
}

async function run(job: Job): Promise<Outcome> {
  const tokens: string[] = [];
  const source = sourceOf(job, tokens);
  const latencies: number[] = [];
  let failed = 0;
  let firstFailure: string | undefined;
  const connections = await Promise.all(
    Array.from({ length: job.connections }, () => openConnection(job.port)),
  );
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const endsAt = startedAt + job.milliseconds;
  const loop = async (connection: Connection): Promise<void> => {
    while (performance.now() < endsAt) {
      const request = source.next();
      if (request === undefined) return;
      const sentAt = performance.now();
      const answer = await connection.send(request);
      if (answer.status === job.expect) {
        latencies.push(performance.now() - sentAt);
        source.answered(answer.body);
      } else {
        failed += 1;
        firstFailure ??= `${answer.status} ${answer.body.slice(0, 300)}`;
      }
    }
  };
  await Promise.all(connections.map(loop));
  const elapsedMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  for (const connection of connections) connection.close();
  return {
    done: latencies.length,
    failed,
    firstFailure,
    elapsedMs,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    loadCpuMs: (user + system) / 1000,
    tokens,
  };
}

process.on('message', (job: Job) => {
  run(job).then(
    (outcome) => process.send?.({ outcome }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
