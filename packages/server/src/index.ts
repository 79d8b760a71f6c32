export { type Gatewarden, type Outside, startGatewarden } from './gatewarden.ts';
export { rotateSigningKey } from './keys/signing-keys.ts';
export { ensureMcpServer } from './mcp/ensure-mcp-server.ts';
export { issuerOf } from './mcp/mcp-servers.ts';
export { openStorage } from './open-storage.ts';
export { type EndedSessions, endAllSessions } from './operations/end-all-sessions.ts';
export {
  type Operations,
  type OperatorSettings,
  openOperations,
  operatorConfig,
} from './operations/open-operations.ts';
export { type ReplacedOperatorKey, replaceOperatorKey } from './operations/replace-operator-key.ts';
export { type Revoked, revokeIssuedBefore } from './operations/revoke-issued-before.ts';
export {
  listSigningKeys,
  type SigningKeyEntry,
  withdrawSigningKeys,
} from './operations/withdraw-keys.ts';
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
  testUserEnvironments,
  webhookHosts,
} from './runtime/config.ts';
export type { Ctx } from './runtime/context.ts';
export { dnsServers } from './runtime/dns-txt.ts';
export { createLog, silentLog } from './runtime/log.ts';
export { developmentKeys } from './runtime/operator-key.ts';
export { systemRandom } from './runtime/outside.ts';
export { DatabaseUnavailable } from './storage/db.ts';
export { DataFolderInUse } from './storage/folder-lock.ts';
export { migrate, planMigrations } from './storage/migrate.ts';
export { openPostgres } from './storage/postgres.ts';
