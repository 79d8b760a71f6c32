// Writes docs/doctor-examples.md anew: node conformance/faults/make-examples.ts
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { makeExamples } from './examples.ts';

await writeFile(
  resolve(import.meta.dirname, '../../docs/doctor-examples.md'),
  await makeExamples(),
);
