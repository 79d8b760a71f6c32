// The runner's own report, with the slowest files in front of its closing summary.
import { relative } from 'node:path';
import { spec } from 'node:test/reporters';

const SUMMARY = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /;
const SHOWN = 12;

/** The slowest files as a table; empty when there is nothing to compare. */
export function slowestFiles(files, root) {
  const slow = [...files].sort((a, b) => b.seconds - a.seconds).slice(0, SHOWN);
  if (slow.length < 2) return '';
  const rows = slow.map(
    ({ file, seconds }) => `  ${seconds.toFixed(1).padStart(7)} s  ${relative(root, file)}`,
  );
  return `\nSlowest of ${files.length} files\n${rows.join('\n')}\n\n`;
}

/** Writes one event to a reporter of the runner and takes what it says. */
function* tell(reporter, event) {
  reporter.write(event);
  for (let said = reporter.read(); said !== null; said = reporter.read()) yield said;
}

/** Given to `node --test` as its reporter. */
export default async function* report(events) {
  const main = spec();
  const files = [];
  const summary = [];
  for await (const event of events) {
    const { type, data } = event;
    if (type === 'test:summary' && data.file) {
      files.push({ file: data.file, seconds: data.duration_ms / 1000 });
    }
    const closing = type === 'test:diagnostic' && data.nesting === 0 && SUMMARY.test(data.message);
    if (closing) summary.push(event);
    else yield* tell(main, event);
  }
  main.end();
  for await (const failures of main) yield failures;
  yield slowestFiles(files, process.cwd());
  const last = spec();
  for (const event of summary) yield* tell(last, event);
}
