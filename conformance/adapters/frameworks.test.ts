import { testAdapters } from './rows.ts';
import { fastMcpAdapter } from './servers/fastmcp-server.ts';
import { sdkAdapters } from './servers/sdk-servers.ts';
import { xmcpAdapter } from './servers/xmcp-server.ts';
import { requestRows } from './table-requests.ts';
import { tokenRows } from './table-tokens.ts';

testAdapters([fastMcpAdapter, xmcpAdapter, ...sdkAdapters], [...tokenRows, ...requestRows]);
