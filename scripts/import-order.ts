// Who may import whom: data for check-imports.

/** Folders of packages/server/src. A folder may import only folders of the rows above it, and itself. */
export const SERVER_ORDER: readonly (readonly string[])[] = [
  ['storage'],
  ['runtime'],
  ['http'],
  ['pages'],
  ['keys'],
  ['events'],
  ['email'],
  ['environments'],
  ['oauth'],
  ['roles'],
  ['organizations'],
  ['users'],
  ['sessions'],
  ['grants'],
  ['sso'],
  ['directory'],
  ['mcp'],
  ['clients'],
  ['login'],
  ['oauth/discovery'],
  ['oauth/authorize'],
  ['oauth/token'],
  ['portal'],
  ['webhooks'],
];

/** Files at the root of packages/server/src that put the whole together; they may import every folder. */
export const SERVER_ROOTS: readonly string[] = ['gatewarden', 'index', 'main', 'testing'];

/** Roles that only the composition root mounts. */
export const MOUNTED_SUFFIXES: readonly string[] = ['routes', 'page', 'rpc', 'job'];

/** What a .store may use at run time besides its own slice and other stores; types may come from every folder above. */
export const STORE_FOLDERS: readonly string[] = ['storage', 'runtime', 'events'];

/** Which packages of ours a package may import; tests may import every package. */
export const PACKAGE_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  'resource-server': [],
  express: ['resource-server'],
  demo: ['express', 'resource-server'],
  server: ['contract'],
  cli: ['server', 'demo'],
};

/** A fence around a library: only paths of packages/server/src that match may import it. */
export type Fence = { readonly library: RegExp; readonly allowed: RegExp; readonly why: string };

export const SERVER_FENCES: readonly Fence[] = [
  {
    library: /^(fastify|@fastify\/.*)$/,
    allowed: /^(http\/|gatewarden\.ts$)|\.(routes|page)\.ts$/,
    why: 'Fastify stops at http/, .routes and .page',
  },
  {
    library: /^(pg|pg-.*|@electric-sql\/.*)$/,
    allowed: /^storage\//,
    why: 'database drivers stay in storage/',
  },
  {
    library: /^(@gatewarden\/contract\/.*|@bufbuild\/.*|@connectrpc\/.*)$/,
    allowed: /^(http\/|gatewarden\.ts$)|\.rpc\.ts$/,
    why: 'the wire types of the contract stop at http/ and .rpc',
  },
  {
    library: /^(undici|node:dns.*)$/,
    allowed: /^runtime\//,
    why: 'the network is reached through ctx.fetch',
  },
  {
    library: /^node:(http|https|http2|net|tls)$/,
    allowed: /^(http|runtime)\//,
    why: 'sockets belong to http/ and runtime/',
  },
  {
    library: /^hono(\/.*)?$/,
    allowed: /^pages\/html\.ts$/,
    why: 'markup is built by pages/html.ts',
  },
  { library: /^pino$|^prom-client$/, allowed: /^runtime\//, why: 'logs and metrics arrive in ctx' },
  { library: /^nodemailer$/, allowed: /^email\//, why: 'mail is sent by email/' },
];
