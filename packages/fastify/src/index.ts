export { authOf, gatewarden } from './gatewarden.ts';
