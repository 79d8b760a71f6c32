// Compares what a contract promises with what was promised before.
import type { DescFile } from '@bufbuild/protobuf';
import { describeFile } from './describe.ts';

/** A line of the baseline that the contract replaces on purpose. `element` is a message and one of its fields. */
export type Exception = {
  readonly element: string;
  readonly baseline: string;
  readonly contract: string;
  readonly reason: string;
};

/** Files by name without `.proto`, each as `describeFile` says it. */
export type Promises = ReadonlyMap<string, string>;

/** What files promise, by their names. */
export function promisesOf(files: Iterable<DescFile>): Map<string, string> {
  return new Map([...files].map((file) => [file.name, describeFile(file)]));
}

/** The baseline with its exceptions applied; an exception that fits nothing is a problem too. */
export function withExceptions(
  baseline: Promises,
  exceptions: readonly Exception[],
): { readonly expected: Map<string, string>; readonly problems: string[] } {
  const expected = new Map(baseline);
  const problems: string[] = [];
  for (const { element, baseline: before, contract: after, reason } of exceptions) {
    const head = `message ${element.slice(0, element.lastIndexOf('.'))}\n`;
    const name = [...expected].find(([, text]) => text.includes(`\n${head}`))?.[0];
    const text = name === undefined ? '' : (expected.get(name) ?? '');
    const block = blocksOf(text).find((each) => `${each}\n`.startsWith(head));
    if (name === undefined || !block?.split('\n').includes(before) || reason.length < 20) {
      problems.push(`the exception for ${element} fits nothing, or gives no reason`);
    } else {
      expected.set(name, text.replace(block, block.replace(before, after)));
    }
  }
  return { expected, problems };
}

function blocksOf(text: string): string[] {
  return text.trimEnd().split('\n\n');
}

/** What is missing, and what is there but was not promised; empty when both say the same. */
export function differences(expected: Promises, actual: Promises): string[] {
  const names = new Set([...expected.keys(), ...actual.keys()]);
  return [...names].sort().flatMap((name) => {
    const [before, after] = [factsOf(expected.get(name)), factsOf(actual.get(name))];
    return [
      ...[...before].filter((fact) => !after.has(fact)).map((fact) => `${name}: - ${fact}`),
      ...[...after].filter((fact) => !before.has(fact)).map((fact) => `${name}: + ${fact}`),
    ];
  });
}

/** Each line together with what it belongs to, such as its message, or its method and service. */
function factsOf(text: string | undefined): Set<string> {
  if (text === undefined) return new Set();
  return new Set(
    blocksOf(text).flatMap((block) => {
      const [head = '', ...lines] = block.split('\n');
      let method = '';
      const facts = lines.map((line) => {
        if (!line.startsWith('    ')) method = line.trim();
        return line.startsWith('    ')
          ? `${head}, ${method}: ${line.trim()}`
          : `${head}: ${method}`;
      });
      return [head, ...facts];
    }),
  );
}

/** What only one of the vendor's two SDKs knows; the other one cannot confirm it. */
const ONLY_IN_PYTHON = new Set([
  'enum scalekit.v1.commons.AuthenticationMode',
  'enum scalekit.v1.commons.EnvironmentType',
]);
/** Exists in the SDK only so that its generator emits the error detail. */
const NOT_SERVED = new Set(['service scalekit.v1.errdetails.Dummy']);
/** Packages of tool calling for agents, which this contract leaves out. */
const OUT_OF_SCOPE = /^scalekit\/v1\/(connected_accounts|tools)\//;

/** Where the baseline and the vendor's SDK disagree about the files that the SDK has. */
export function differencesToVendor(baseline: Promises, vendor: Promises): string[] {
  const without = (text: string, left: ReadonlySet<string>): string =>
    blocksOf(text)
      .filter((block) => !left.has(block.split('\n')[0] ?? ''))
      .join('\n\n');
  const known = [...vendor].filter(
    ([name]) => name.startsWith('scalekit/') && !OUT_OF_SCOPE.test(name),
  );
  if (known.length === 0) return ['the SDK has no descriptors'];
  return differences(
    new Map(known.map(([name]) => [name, without(baseline.get(name) ?? '', ONLY_IN_PYTHON)])),
    new Map(known.map(([name, text]) => [name, without(text, NOT_SERVED)])),
  );
}
