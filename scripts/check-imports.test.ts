import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkImports } from './check-imports.ts';
import { plant } from './test-plant.ts';

const SERVER = 'packages/server/src';

/** What the check says about one file with one line, beside a file that is fine. */
function problemsOf(t: { after(work: () => void): void }, path: string, line: string): string[] {
  const fine = {
    [`${SERVER}/clients/clients.store.ts`]: "import { sql } from '../storage/db.ts';\n",
  };
  return [...checkImports(plant(t, { ...fine, [path]: `${line}\n` }), {}).problems];
}

const REFUSED: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'a folder below its own',
    `${SERVER}/keys/a.ts`,
    "import { x } from '../clients/x.ts';",
    /keys\/ stands above clients/,
  ],
  [
    'a folder below, for its types only',
    `${SERVER}/http/a.ts`,
    "import type { X } from '../login/x.ts';",
    /stands above/,
  ],
  [
    'a folder below, re-exported',
    `${SERVER}/http/a.ts`,
    "export { x } from '../login/x.ts';",
    /stands above/,
  ],
  [
    'a folder below, at run time',
    `${SERVER}/http/a.ts`,
    "export const x = await import('../login/x.ts');",
    /stands above/,
  ],
  [
    'a nested endpoint of the vocabulary folder',
    `${SERVER}/oauth/a.ts`,
    "import { x } from './token/token.ts';",
    /stands above/,
  ],
  [
    'a folder nobody placed',
    `${SERVER}/users/a.ts`,
    "import { x } from '../utils/x.ts';",
    /not in scripts/,
  ],
  [
    'from a folder nobody placed',
    `${SERVER}/utils/a.ts`,
    "import { x } from '../storage/db.ts';",
    /not in scripts/,
  ],
  [
    'routes',
    `${SERVER}/users/a.ts`,
    "import { x } from './users.routes.ts';",
    /gatewarden\.ts only/,
  ],
  [
    'a job from another slice',
    `${SERVER}/webhooks/a.ts`,
    "import { x } from '../users/x.job.ts';",
    /gatewarden\.ts only/,
  ],
  [
    'the composition root',
    `${SERVER}/users/a.ts`,
    "import { x } from '../gatewarden.ts';",
    /composition root/,
  ],
  [
    'the sql tag outside a store',
    `${SERVER}/users/users.ts`,
    "import { sql } from '../storage/db.ts';",
    /\.store files/,
  ],
  [
    'domain code into a store',
    `${SERVER}/users/users.store.ts`,
    "import { x } from '../roles/roles.ts';",
    /types only/,
  ],
  [
    'Fastify into a slice',
    `${SERVER}/users/users.ts`,
    "import type { X } from 'fastify';",
    /Fastify stops/,
  ],
  [
    'a database driver into a slice',
    `${SERVER}/users/users.store.ts`,
    "import pg from 'pg';",
    /drivers/,
  ],
  [
    'wire types into domain code',
    `${SERVER}/users/users.ts`,
    "import { X } from '@gatewarden/contract/x';",
    /wire types/,
  ],
  [
    'the server from the library',
    'packages/resource-server/src/a.ts',
    "import { x } from '@gatewarden/server';",
    /must not import/,
  ],
  [
    'another package by its path',
    'packages/express/src/a.ts',
    "import { x } from '../../server/src/index.ts';",
    /by its name/,
  ],
  [
    'ours from the conformance tests',
    'conformance/a.test.ts',
    "import { x } from '@gatewarden/server';",
    /no imports of ours/,
  ],
  [
    'the server from the corpus of faulty servers',
    'conformance/faults/a.test.ts',
    "import { x } from '@gatewarden/server';",
    /no imports of ours/,
  ],
  [
    'the server from the conformance tests of adapters',
    'conformance/adapters/a.ts',
    "import { x } from '@gatewarden/server';",
    /no imports of ours/,
  ],
];

for (const [what, path, line, expected] of REFUSED) {
  test(`import check: ${what} is refused`, (t) => {
    const problems = problemsOf(t, path, line);

    assert.equal(problems.length, 1, problems.join('\n'));
    assert.match(problems[0] ?? '', expected);
  });
}

const ALLOWED: readonly (readonly [string, string, string])[] = [
  [
    'an adapter from the conformance tests of adapters',
    'conformance/adapters/a.ts',
    "import { x } from '@gatewarden/express';",
  ],
  ['a folder above', `${SERVER}/login/a.ts`, "import { x } from '../clients/clients.store.ts';"],
  [
    'the vocabulary from an endpoint',
    `${SERVER}/oauth/token/a.ts`,
    "import { x } from '../scope.ts';",
  ],
  [
    'everything into the composition root',
    `${SERVER}/gatewarden.ts`,
    "import { x } from './users/users.routes.ts';",
  ],
  [
    'types into a store',
    `${SERVER}/users/users.store.ts`,
    "import type { X } from '../roles/roles.ts';",
  ],
  [
    'the sql tag into a store',
    `${SERVER}/users/users.store.ts`,
    "import { sql } from '../storage/db.ts';",
  ],
  [
    'anything of ours into a test',
    'packages/express/src/a.test.ts',
    "import { x } from '@gatewarden/server/testing';",
  ],
  [
    'the doctor into its corpus of faulty servers',
    'conformance/faults/a.test.ts',
    "import { x } from '@gatewarden/doctor';",
  ],
];

for (const [what, path, line] of ALLOWED) {
  test(`import check: ${what} is allowed`, (t) => {
    assert.deepEqual(problemsOf(t, path, line), []);
  });
}

test('import check: a tree without imports counts none, which the report refuses', (t) => {
  assert.equal(checkImports(plant(t, { 'packages/server/src/a.ts': 'export {};' }), {}).looked, 0);
});

test('import check: an exception counts for its one import, and must be needed', (t) => {
  const line = "import { x } from '../clients/x.ts';\n";
  const root = plant(t, { [`${SERVER}/keys/a.ts`]: line, [`${SERVER}/keys/b.ts`]: line });

  const { problems } = checkImports(root, {
    'keys/a.ts > clients/x.ts': 'a reason',
    'keys/c.ts > clients/x.ts': 'a reason',
  });

  assert.equal(problems.length, 2);
  assert.match(problems[0] ?? '', /keys\/b\.ts/);
  assert.match(problems[1] ?? '', /nothing needs .*keys\/c\.ts/);
});

test('import check: the types of Fastify may stand in the files of a page, Fastify itself may not', (t) => {
  const path = `${SERVER}/login/visit.ts`;

  assert.deepEqual(problemsOf(t, path, "import type { FastifyRequest } from 'fastify';"), []);
  assert.equal(problemsOf(t, path, "import fastify from 'fastify';").length, 1);
});
