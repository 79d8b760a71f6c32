import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { clientOf } from '@gatewarden/resource-server/testing/guarded-server';
import type { Adapter, Call, Start } from '../target.ts';
import { freePort } from './free-port.ts';

const script = fileURLToPath(new URL('xmcp-process.ts', import.meta.url));

const start: Start = async (t, [server], ran) => {
  const port = await freePort();
  // Functions do not travel; the clocks of both processes are those of the machine.
  const { now: _now, log: _log, ...declaration } = server ?? { serverUrl: '' };
  const child = fork(script, [String(port), JSON.stringify(declaration)], { silent: true });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  child.on('message', (call: Call) => ran(call));
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk;
      if (output.includes('MCP Server running')) resolve();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      output += chunk;
    });
    child.on('exit', () => reject(new Error(`xmcp ended: ${output}`)));
  });
  return clientOf(port);
};

const express =
  'xmcp parses the body with Express before any middleware: the parsed value is checked and run';

export const xmcpAdapter: Adapter = {
  name: 'xmcp',
  start,
  apart: true,
  except: {
    parserBodies: express,
    twoServers: 'xmcp has one MCP endpoint',
    publicPath: 'xmcp has no routes of the app besides its tools',
  },
};
