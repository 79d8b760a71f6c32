import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Cleanups } from './cleanups.ts';
import { endpointsFrom, type Material, type Target } from './target.ts';

/** Starts oidc-provider in a process of its own and has it make codes. */
export async function startPeer(cleanups: Cleanups, codes: number): Promise<Target> {
  const child = fork(fileURLToPath(new URL('./peer-process.ts', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  // It warns of keys and storage in memory, which are the point here; that is shown only when it ends.
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = `${errors}${chunk}`.slice(-2000);
  });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  cleanups.add(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const answer = async <T>(): Promise<T> =>
    await new Promise<T>((done, fail) => {
      child.once('message', (message) => done(message as T)); // our own process, by our own protocol
      void ended.then(() => fail(new Error(`oidc-provider ended: ${errors}`)));
    });
  const { port } = await answer<{ port: number }>();
  const made = answer<Material>();
  child.send(codes);
  const material = await made;
  if (child.pid === undefined) throw new Error('oidc-provider has no process');
  return {
    name: 'oidc-provider',
    durability: 'memory, lost at exit',
    pid: child.pid,
    port,
    endpoints: await endpointsFrom(
      `http://localhost:${port}`,
      '/.well-known/oauth-authorization-server',
    ),
    material,
    databasePid: undefined,
    refreshTokens: [],
  };
}
