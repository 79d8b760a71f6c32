import { setTimeout as pause } from 'node:timers/promises';
import type { Cleanups } from './cleanups.ts';
import { fill, newInstallation, start, targetOf } from './gatewarden.ts';
import { startLoad } from './load.ts';
import { codesNeeded, type Plan, sampleOf } from './measure.ts';
import { OPERATIONS } from './operations.ts';
import { startDurablePostgres } from './postgres.ts';

/** A CPU profile as the inspector gives it; times in microseconds. */
type CpuProfile = {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
};

type CallFrame = {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
};

const MOST_LINES = 25;
const MOST_PARTS = 12;
const PROFILED = ['client_credentials', 'code exchange', 'refresh', 'registration'];
const CONNECTIONS = 16;
const LONGER = 3;

/** Where the main thread of a server on PostgreSQL spends its time, one list for each operation that writes. */
export async function profile(cleanups: Cleanups, plan: Plan): Promise<string> {
  const postgres = await startDurablePostgres(cleanups);
  const installation = await newInstallation(cleanups, postgres);
  const milliseconds = LONGER * plan.milliseconds;
  const seeded = await fill(installation, codesNeeded({ ...plan, milliseconds, rounds: 1 }));
  const started = await start(cleanups, installation, { NODE_OPTIONS: '--inspect=127.0.0.1:0' });
  const target = await targetOf(installation, started, seeded);
  const load = await startLoad(cleanups);
  const inspector = await inspectorOf(started.errors);
  const lists: string[] = [];
  for (const operation of OPERATIONS.filter(({ name }) => PROFILED.includes(name))) {
    await sampleOf(load, target, operation, CONNECTIONS, plan.warmUpMilliseconds);
    await inspector.call('Profiler.start');
    const sample = await sampleOf(load, target, operation, CONNECTIONS, milliseconds);
    const stopped = (await inspector.call('Profiler.stop')) as { profile: CpuProfile }; // as the protocol says
    lists.push(
      `${operation.name}, ${sample.done} requests\n${selfTimes(stopped.profile, sample.done)}`,
    );
  }
  inspector.close();
  return lists.join('\n\n');
}

type Inspector = { call(method: string): Promise<unknown>; close(): void };

/** Talks to the inspector of a process that has just said on stderr where it listens. */
async function inspectorOf(errors: () => string): Promise<Inspector> {
  const url = /ws:\/\/\S+/.exec(errors())?.[0];
  if (url === undefined) throw new Error('the server has no inspector');
  const socket = new WebSocket(url);
  await new Promise((done, fail) => {
    socket.addEventListener('open', done);
    socket.addEventListener('error', fail);
  });
  let calls = 0;
  const call = async (method: string): Promise<unknown> => {
    calls += 1;
    const id = calls;
    const answered = new Promise((done) => {
      socket.addEventListener('message', function read({ data }) {
        const message = JSON.parse(String(data));
        if (message.id !== id) return;
        socket.removeEventListener('message', read);
        done(message.result);
      });
    });
    socket.send(JSON.stringify({ id, method }));
    return await answered;
  };
  await call('Profiler.enable');
  await pause(100);
  return { call, close: () => socket.close() };
}

/** Self time by part and by function, most first. It is time on the clock: a thread that waits for a core inside a call counts there. */
function selfTimes({ nodes, samples, timeDeltas }: CpuProfile, requests: number): string {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const by = (nameOf: (frame: CallFrame) => string, most: number): string => {
    const times = new Map<string, number>();
    samples.forEach((id, n) => {
      const frame = frames.get(id);
      const name = frame ? nameOf(frame) : '?';
      times.set(name, (times.get(name) ?? 0) + (timeDeltas[n] ?? 0));
    });
    return listed(times, requests, most);
  };
  return `${by(partOf, MOST_PARTS)}\n\n${by(functionOf, MOST_LINES)}`;
}

function listed(times: ReadonlyMap<string, number>, requests: number, most: number): string {
  const all = [...times.values()].reduce((sum, time) => sum + time, 0);
  return [...times]
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(
      ([name, time]) =>
        `${((100 * time) / all).toFixed(1).padStart(5)} %  ${(time / requests).toFixed(0).padStart(5)} µs  ${name}`,
    )
    .join('\n');
}

function functionOf({ functionName, url, lineNumber }: CallFrame): string {
  const place = url.replace(/^.*\/(?=(?:node_modules|packages)\/)/, '');
  return `${functionName || '(anonymous)'}${place && ` ${place}:${lineNumber + 1}`}`;
}

/** The package or folder that a function is in. */
function partOf({ functionName, url }: CallFrame): string {
  const part =
    /node_modules\/(?:@[^/]+\/)?[^/]+/.exec(url)?.[0] ??
    /packages\/[^/]+\/src\/[^/]+/.exec(url)?.[0] ??
    /^node:[^/]+(?:\/[^/]+)?/.exec(url)?.[0];
  return (
    part ?? (/^\((program|idle|garbage collector)\)$/.test(functionName) ? functionName : 'native')
  );
}
