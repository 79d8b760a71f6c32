import { testAdapters } from './rows.ts';
import { fastifyAdapter } from './servers/fastify-server.ts';
import { webAdapters } from './servers/web-servers.ts';
import { requestRows } from './table-requests.ts';
import { tokenRows } from './table-tokens.ts';

testAdapters([fastifyAdapter, ...webAdapters], [...tokenRows, ...requestRows]);
