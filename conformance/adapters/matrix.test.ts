import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fastifyAdapter } from './servers/fastify-server.ts';
import { fastMcpAdapter } from './servers/fastmcp-server.ts';
import { nextAdapter } from './servers/next-server.ts';
import { nodeAdapters } from './servers/node-servers.ts';
import { sdkAdapters } from './servers/sdk-servers.ts';
import { webAdapters } from './servers/web-servers.ts';
import { xmcpAdapter } from './servers/xmcp-server.ts';
import { requestRows } from './table-requests.ts';
import { tokenRows } from './table-tokens.ts';

const adapters = [
  ...nodeAdapters,
  fastifyAdapter,
  ...webAdapters,
  nextAdapter,
  fastMcpAdapter,
  xmcpAdapter,
  ...sdkAdapters,
];

/** The table as the manual shows it: each row, and for whom it does not hold and why. */
function matrix(): string {
  const lines = [...tokenRows, ...requestRows].map(({ title, key }) => {
    const reasons = new Map<string, string[]>();
    for (const { name, except } of adapters) {
      const reason = except[key];
      if (reason !== undefined) reasons.set(reason, [...(reasons.get(reason) ?? []), name]);
    }
    const not = [...reasons].map(([reason, names]) => `${names.join(', ')}: ${reason}`);
    return `| ${title} | ${not.length === 0 ? '' : `${not.join('; ')}.`} |`;
  });
  return ['| Every adapter | Except |', '| --- | --- |', ...lines].join('\n');
}

test('the manual shows the table of adapters as it is tested (RS-51)', () => {
  const manual = readFileSync(new URL('../../docs/adapters.md', import.meta.url), 'utf8');
  const shown = manual.slice(manual.indexOf('| Every adapter |')).trim();
  assert.equal(shown, matrix(), `docs/adapters.md should end with:\n${matrix()}\n`);
});
