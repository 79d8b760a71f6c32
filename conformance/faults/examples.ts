import { examine, textReport } from '@gatewarden/doctor';
import { CORPUS } from './corpus.ts';
import { counting, examineServer } from './examine-fault.ts';
import { nameOf } from './fault.ts';
import { PEERS, type Peer } from './foreign/peers.ts';
import type { Ending } from './good-server.ts';
import { startFault } from './start-fault.ts';

const INTRODUCTION = `# What the doctor says: examples

Reports of \`gatewarden doctor mcp\` on servers that others wrote, and on every server of our corpus of mistakes.
Addresses are written with the same ports each time, and what changes from run to run is left out.

This file is made by \`node conformance/faults/make-examples.ts\`; a test fails when it no longer has the shape of what is found.
`;

/** The headings and finding ids that the document must have, in their order. */
export function expectedShape(): readonly string[] {
  return [
    '# What the doctor says: examples',
    '## Servers that others wrote',
    ...PEERS.flatMap(({ name, findings }) => [`### ${name}`, ...findings]),
    '## One mistake at a time',
    ...[...new Set(CORPUS.map(({ step }) => step))].flatMap((step) => [
      `### ${step}`,
      ...CORPUS.filter((fault) => fault.step === step).map(({ id }) => id),
    ]),
  ];
}

/** The headings and finding ids of a document, in their order. */
export function shapeOf(document: string): readonly string[] {
  return document
    .split('\n')
    .map((line) => /^(#+ .*)$|^(?:error|warning) ([a-z0-9-]+):|^\| `([a-z0-9-]+)`/.exec(line))
    .flatMap((match) => match?.[1] ?? match?.[2] ?? match?.[3] ?? []);
}

/** Examines everything and writes down what was found. */
export async function makeExamples(): Promise<string> {
  const peers: string[] = [];
  for (const peer of PEERS) peers.push(await withEnd((t) => peerSection(t, peer)));
  const steps: string[] = [];
  for (const step of new Set(CORPUS.map((fault) => fault.step))) {
    const rows: string[] = [];
    for (const fault of CORPUS.filter((one) => one.step === step)) {
      const report = await withEnd(async (t) =>
        examineServer(await startFault(t, fault), fault.login),
      );
      const [finding] = report.findings;
      if (finding?.id !== fault.id) throw new Error(`${nameOf(fault)} was not found`);
      const mistake = fault.seen ? `${fault.wrong} Seen: ${fault.seen}.` : fault.wrong;
      const cells = [`\`${fault.id}\``, mistake, sameEachTime(finding.message), finding.fix];
      rows.push(`| ${cells.map(cell).join(' | ')} |`);
    }
    const head =
      '| finding | the mistake | what the doctor says | what to change |\n| --- | --- | --- | --- |';
    steps.push(`### ${step}\n\n${head}\n${rows.join('\n')}\n`);
  }
  return [
    INTRODUCTION,
    '## Servers that others wrote\n',
    ...peers,
    '## One mistake at a time\n',
    'Each row is a server that is correct but for one mistake. The doctor has exactly this one finding.\n',
    ...steps,
  ].join('\n');
}

async function withEnd<Result>(work: (t: Ending) => Promise<Result>): Promise<Result> {
  const ends: (() => Promise<void>)[] = [];
  try {
    return await work({ after: (end) => ends.push(end) });
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function peerSection(t: Ending, { name, about, start }: Peer): Promise<string> {
  const report = await examine(await start(t), { requestsPerSecond: 500, random: counting() });
  const text = textReport(report, { color: false }).trim();
  return sameEachTime(`### ${name}\n\n${about}\n\n\`\`\`text\n${text}\n\`\`\`\n`);
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

/** Ports in the order in which they appear; no durations. */
function sameEachTime(text: string): string {
  const ports = new Map<string, number>();
  const timeless = text.replace(/, \d+\.\d s\)/g, ')');
  return timeless.replace(/(127\.0\.0\.1|localhost|example\.test):(\d{5})/g, (_all, host, port) => {
    const same = ports.get(port) ?? 8001 + ports.size;
    ports.set(port, same);
    return `${host}:${same}`;
  });
}
