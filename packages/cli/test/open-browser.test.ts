import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openInBrowser } from '../src/runtime/open-browser.ts';

test('an address longer than a command line does not end the command (SKILL-69, a hostile client id)', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-browser-'));
  const path = process.env['PATH'];
  t.after(async () => {
    process.env['PATH'] = path;
    await rm(folder, { recursive: true });
  });
  for (const name of ['xdg-open', 'open'])
    await writeFile(join(folder, name), '#!/bin/sh\n', { mode: 0o755 });
  process.env['PATH'] = folder;
  assert.doesNotThrow(() =>
    openInBrowser(`https://auth.example/?client_id=${'%41'.repeat(60_000)}`),
  );
});
