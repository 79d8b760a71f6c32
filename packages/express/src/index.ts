export { authOf, gatewarden, type Middleware } from './gatewarden.ts';
