import { AUTHORIZATION_SERVER } from './corpus/authorization-server.ts';
import { CORS, TRANSPORT } from './corpus/cors-and-transport.ts';
import { KEYS, REGISTRATION } from './corpus/keys-and-registration.ts';
import { RESOURCE_METADATA } from './corpus/resource-metadata.ts';
import { SECOND_LOOKS } from './corpus/second-looks.ts';
import { testFaults } from './examine-fault.ts';

testFaults([
  ...RESOURCE_METADATA,
  ...AUTHORIZATION_SERVER,
  ...KEYS,
  ...REGISTRATION,
  ...CORS,
  ...TRANSPORT,
  ...SECOND_LOOKS,
]);
