import { authorizationServerFaults } from './catalogue/authorization-server-faults.ts';
import { browserFaults } from './catalogue/browser-faults.ts';
import { challengeFaults } from './catalogue/challenge-faults.ts';
import type { Fault } from './catalogue/fault.ts';
import { keyFaults } from './catalogue/key-faults.ts';
import { loginFaults } from './catalogue/login-faults.ts';
import { reachFaults } from './catalogue/reach-faults.ts';
import { resourceMetadataFaults } from './catalogue/resource-metadata-faults.ts';
import { tokenFaults } from './catalogue/token-faults.ts';

const faults = {
  ...reachFaults,
  ...challengeFaults,
  ...tokenFaults,
  ...resourceMetadataFaults,
  ...authorizationServerFaults,
  ...keyFaults,
  ...browserFaults,
  ...loginFaults,
};

/** Id of a fault. Ids are stable: reports, dashboards and suppressions name them. */
export type FindingId = keyof typeof faults;

/** Every fault the doctor can name. */
export const catalogue: Readonly<Record<FindingId, Fault>> = faults;
