import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ApplicationType, applicationUriProblem } from './application-uris.ts';
import { testClients } from './test-clients.ts';

test('addresses of applications: what is for development, for devices, and for nobody (FSA-7, FSA-8, AS-53)', async () => {
  const { ctx: development } = await testClients({ kind: 'DEVELOPMENT' });
  const { ctx: production } = await testClients({
    kind: 'PRODUCTION',
    config: { allowLoopbackClients: false },
  });
  const types: readonly ApplicationType[] = ['WEB_APP', 'SPA', 'NTV', 'ENV'];
  const all = 'WEB_APP SPA NTV ENV';
  /** The types that may have it in development, and in production. */
  const rows: readonly (readonly [string, string, string])[] = [
    ['https://app.example.com/callback', all, all],
    [`https://app.example.com/${'a'.repeat(232)}`, all, all],
    [`https://app.example.com/${'a'.repeat(233)}`, '', ''],
    ['http://localhost:3000/cb', all, ''],
    ['http://127.0.0.1/cb', all, 'NTV'],
    ['http://[::1]/cb', all, 'NTV'],
    ['https://localhost:3000/cb', all, ''],
    ['https://LOCALHOST./cb', all, ''],
    ['https://app.localhost/cb', all, ''],
    ['https://127.0.0.1/cb', all, ''],
    ['https://[::1]/cb', all, ''],
    ['com.example.app:/callback', all, all],
    ['acme://callback', all, all],
    ['https://app.example.com/cb?x=1', '', ''],
    ['https://app.example.com/cb?', '', ''],
    ['https://app.example.com/cb#x', '', ''],
    ['https://me@app.example.com/cb', '', ''],
    ['http://app.example.com/cb', '', ''],
    ['https://*.example.com/cb', '', ''],
    ['https://app.example.com/../cb', '', ''],
    ['javascript:alert(1)', '', ''],
    ['JavaScript:alert(1)', '', ''],
    ['data:text/html,x', '', ''],
    ['//app.example.com/cb', '', ''],
    ['', '', ''],
  ];
  for (const [uri, inDevelopment, inProduction] of rows)
    for (const [ctx, may] of [
      [development, inDevelopment],
      [production, inProduction],
    ] as const)
      for (const type of types)
        for (const member of ['postLoginUris', 'postLogoutRedirectUris'] as const) {
          const problem = await applicationUriProblem(ctx, type, { [member]: [uri] });
          const expected = may.split(' ').includes(type);
          assert.equal(problem === undefined, expected, `${type} ${uri}: ${problem?.description}`);
        }
});

test('back-channel addresses are those this server may call, of applications on a server (FSA-11, server-side request forgery)', async () => {
  const { ctx } = await testClients({
    kind: 'PRODUCTION',
    config: { allowLoopbackClients: false },
  });
  const problemOf = async (type: ApplicationType, uri: string): Promise<string | undefined> =>
    (await applicationUriProblem(ctx, type, { backChannelLogoutUris: [uri] }))?.description;
  for (const type of ['WEB_APP', 'ENV'] as const)
    assert.equal(await problemOf(type, 'https://app.example.com/logout?x=1'), undefined);
  for (const type of ['SPA', 'NTV'] as const)
    assert.ok(await problemOf(type, 'https://app.example.com/logout'));
  for (const uri of [
    'http://app.example.com/logout',
    'https://127.0.0.1/logout',
    'https://169.254.169.254/latest',
    'http://localhost/logout',
    'https://[::1]/logout',
    'https://app.example.com:8443/logout',
    'com.example.app:/logout',
  ])
    assert.ok(await problemOf('WEB_APP', uri), uri);
});
