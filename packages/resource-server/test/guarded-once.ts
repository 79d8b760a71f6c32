// Decides about one request, waits until the guard polls, and comes to its end.
import { setTimeout as sleep } from 'node:timers/promises';
import { protectMcp } from '../src/index.ts';
import { resourceId, serverUrl } from '../src/testing/fake-issuer.ts';

const [environmentUrl = '', token = ''] = process.argv.slice(2);
const guard = protectMcp({ environmentUrl, resourceId, serverUrl });
const decision = await guard.decide({
  method: 'GET',
  target: '/mcp',
  header: (name) => ({ host: ['localhost'], authorization: [`Bearer ${token}`] })[name] ?? [],
  hasBody: false,
  body: async () => ({ kind: 'unreadable' }),
  localAddress: undefined,
});
await sleep(500);
console.log(decision.kind);
