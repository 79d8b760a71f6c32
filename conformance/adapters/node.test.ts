import { testAdapters } from './rows.ts';
import { nodeAdapters } from './servers/node-servers.ts';
import { requestRows } from './table-requests.ts';
import { tokenRows } from './table-tokens.ts';

testAdapters(nodeAdapters, [...tokenRows, ...requestRows]);
