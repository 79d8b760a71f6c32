export { ConfigurationError } from '@gatewarden/resource-server';
export type { AccessEntry, Outcome } from './access-log.ts';
export type { ProtectOptions, ProxyOptions } from './options.ts';
export { type RunningProxy, startProxy } from './start-proxy.ts';
export type { Reloaded } from './tool-guard.ts';
