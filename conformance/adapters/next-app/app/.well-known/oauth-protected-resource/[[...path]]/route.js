import { metadataRoute } from '@gatewarden/next';
import { mcpServer } from '../../../../mcp-server.js';

export const { GET, HEAD, OPTIONS } = metadataRoute(mcpServer);
