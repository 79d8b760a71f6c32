import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Ending } from '../good-server.ts';
import { freePort } from './free-port.ts';

/** The example server of the official TypeScript SDK 1.x with its demonstration of an authorization server, unchanged. */
export async function startSdkExample(t: Ending, flag = '--oauth'): Promise<string> {
  const root = createRequire(import.meta.url).resolve('@modelcontextprotocol/sdk/package.json');
  const script = join(root, '../../esm/examples/server/simpleStreamableHttp.js');
  const [port, authPort] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, [script, flag], {
    env: { ...process.env, MCP_PORT: String(port), MCP_AUTH_PORT: String(authPort) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let output = '';
  await new Promise<void>((done, fail) => {
    const onOutput = (chunk: Buffer): void => {
      output += chunk.toString();
      if (output.match(/listening on port/g)?.length === 2) done();
    };
    child.stdout.on('data', onOutput);
    child.stderr.on('data', onOutput);
    void ended.then(() => fail(new Error(`the example ended: ${output}`)));
  });
  return `http://localhost:${port}/mcp`;
}
