export type { SigningAlgorithm } from './algorithms.ts';
export type { McpAuth, TokenDetails } from './auth.ts';
export {
  CascadeError,
  type CascadeErrorCode,
  type CascadeTarget,
  cascadeHeaders,
} from './cascade.ts';
export { declaredTools, type RegisterDeclaredTool } from './declared-tools.ts';
export { ConfigurationError, type ConfigurationErrorCode, type RefusalReason } from './errors.ts';
export type { FeedHealth, GuardHealth, KeySetHealth, ServerHealth } from './health.ts';
export { type Admitted, guardNodeRequest, type NodeRequest } from './node.ts';
export {
  type DeclaredMcpServer,
  type DefaultPolicy,
  defineMcpServer,
  type McpServerOptions,
  type MethodCall,
  type MethodRule,
  type RevocationOptions,
  type ScopeDescription,
  type ScopeRule,
  type ToolCall,
  type ToolRule,
  type TrustedIssuer,
} from './options.ts';
export { type McpGuard, protectMcp, type ToolRules } from './protect-mcp.ts';
export type {
  BodyRead,
  BodyRewriter,
  Caller,
  Decision,
  GuardRequest,
  Respond,
  ResponseDuties,
  ResponseHead,
} from './request.ts';
export type { Fetch, GuardEvent, Log } from './runtime/defaults.ts';
export { type ToolScopeError, toolScopeCheck } from './tool-errors.ts';
export { readToolScopeMap } from './tool-scope-map.ts';
export { guardFetch, type McpHandler } from './web.ts';
