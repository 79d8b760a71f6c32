export { type GatewardenVariables, gatewarden } from './gatewarden.ts';
