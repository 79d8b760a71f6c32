export { gatewarden, type Middleware } from './gatewarden.ts';
