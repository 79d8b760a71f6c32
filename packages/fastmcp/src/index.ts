export { type FastMcpServer, gatewarden, type Protection } from './gatewarden.ts';
