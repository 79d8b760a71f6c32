export { type DemoScope, demoScopes, demoTools } from './demo-tools.ts';
export { type Demo, type DemoOptions, startDemo } from './start-demo.ts';
