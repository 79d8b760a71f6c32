// The contract promises on the wire what the committed baseline says, and what the vendor's SDK expects where it is installed.
import { buf } from './buf.mjs';
import { differences, differencesToVendor, promisesOf, withExceptions } from './compare.ts';
import {
  baselineImage,
  generatedFiles,
  readBaseline,
  readExceptions,
  vendorDescriptors,
} from './contract-files.ts';
import { describable } from './describe.ts';

const baseline = readBaseline();
const files = await generatedFiles('scalekit');
const { expected, problems } = withExceptions(baseline, readExceptions());
problems.push(...differences(expected, promisesOf(files)));
if (baseline.size === 0 || files.length === 0) problems.push('there is nothing to compare');

const vendor = vendorDescriptors();
if (vendor)
  problems.push(
    ...differencesToVendor(baseline, promisesOf(describable(vendor).files)).map(
      (each) => `vendor's SDK: ${each}`,
    ),
  );

try {
  buf(['breaking', '--against', baselineImage]);
} catch (error) {
  problems.push(String(error));
}

if (problems.length > 0) {
  console.error(`the contract broke its promises (- promised, + said now)\n${problems.join('\n')}`);
  process.exitCode = 1;
} else {
  const beside = vendor ? "the vendor's SDK" : "no SDK of the vendor's, which is not installed";
  console.log(`check-wire looked at ${files.length} files, their baseline and ${beside}`);
}
