// Formats the .proto sources and makes the code in gen/ from them.
import { buf } from './buf.mjs';

buf(['format', '--write']);
buf(['lint']);
buf(['generate']);
console.log('packages/contract/gen is made from packages/contract/proto');
