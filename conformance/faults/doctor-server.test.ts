import { CHALLENGE } from './corpus/challenge.ts';
import { REACH } from './corpus/reach.ts';
import { TOKENS } from './corpus/tokens.ts';
import { testFaults } from './examine-fault.ts';

testFaults([...REACH, ...CHALLENGE, ...TOKENS]);
