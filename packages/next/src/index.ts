export {
  metadataRoute,
  protect,
  type RouteContext,
  type RouteHandler,
  type RouteHandlers,
} from './gatewarden.ts';
