export { type Gatewarden, type Outside, startGatewarden } from './gatewarden.ts';
export { ensureMcpServer } from './mcp/ensure-mcp-server.ts';
export { issuerOf } from './mcp/mcp-servers.ts';
export { openStorage } from './open-storage.ts';
export {
  type Config,
  ConfigError,
  environmentClient,
  environmentUrl,
  flag,
  isLoopbackHost,
  logLevel,
  portNumber,
  secretKeys,
} from './runtime/config.ts';
export { createLog, silentLog } from './runtime/log.ts';
export { developmentKeys } from './runtime/operator-key.ts';
export { systemRandom } from './runtime/outside.ts';
export { DatabaseUnavailable } from './storage/db.ts';
export { DataFolderInUse } from './storage/folder-lock.ts';
export { migrate, planMigrations } from './storage/migrate.ts';
export { openPostgres } from './storage/postgres.ts';
