// Makes the image that `buf breaking` compares with. Run it after adding to the contract, never to get rid of a finding.
import { buf } from './buf.mjs';

buf(['build', '--exclude-source-info', '--output', 'baseline/image.binpb']);
console.log('packages/contract/baseline/image.binpb is what later versions are compared with');
