import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { expectedShape, shapeOf } from './examples.ts';

test('docs/doctor-examples.md has the headings and findings of what is examined (SKILL-69)', async () => {
  const path = resolve(import.meta.dirname, '../../docs/doctor-examples.md');
  const document = await readFile(path, 'utf8');
  assert.deepEqual(shapeOf(document), expectedShape(), 'run conformance/faults/make-examples.ts');
  assert.doesNotMatch(document, /:(?!80\d\d\b)\d{5}\b/);
});
