import { CHALLENGE } from './corpus/challenge.ts';
import { HALF_MADE_CHECKS } from './corpus/half-made-checks.ts';
import { REACH } from './corpus/reach.ts';
import { TOKENS } from './corpus/tokens.ts';
import { testFaults } from './examine-fault.ts';

testFaults([...REACH, ...CHALLENGE, ...TOKENS, ...HALF_MADE_CHECKS]);
