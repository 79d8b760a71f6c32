// Peers that come without types; only what the servers here use of them.
declare module 'koa' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  type Context = {
    req: IncomingMessage;
    res: ServerResponse;
    respond: boolean;
    state: Record<string, unknown>;
  };
  class Koa {
    use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): this;
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  }
  export = Koa;
}

declare module 'express4' {
  export { default } from 'express';
}
