import { after } from 'node:test';
import { testAdapters } from './rows.ts';
import { nextAdapter, removeBuild } from './servers/next-server.ts';
import { requestRows } from './table-requests.ts';
import { tokenRows } from './table-tokens.ts';

after(removeBuild);
testAdapters([nextAdapter], [...tokenRows, ...requestRows]);
