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
  ['interceptors'],
  ['oauth'],
  ['roles'],
  ['organizations'],
  ['users'],
  ['sessions'],
  ['passkeys'],
  ['grants'],
  ['sso'],
  ['directory'],
  ['mcp'],
  ['clients'],
  ['api-keys'],
  ['login'],
  ['oauth/discovery'],
  ['oauth/authorize'],
  ['oauth/token'],
  ['oauth/revocations'],
  ['portal'],
  ['webhooks'],
  ['operators'],
  ['operations'],
];

/** Files at the root of packages/server/src that put the whole together; they may import every folder. */
export const SERVER_ROOTS: readonly string[] = [
  'error-answers',
  'gatewarden',
  'index',
  'jobs',
  'main',
  'mounts',
  'open-storage',
  'rpcs',
  'testing',
];

/** Roles that only the composition root mounts. */
export const MOUNTED_SUFFIXES: readonly string[] = ['routes', 'page', 'rpc', 'job'];

/** What a .store may use at run time besides its own slice and other stores (oauth/ is vocabulary); types may come from every folder above. */
export const STORE_FOLDERS: readonly string[] = ['storage', 'runtime', 'events', 'oauth'];

/** Imports inside the server that no rule allows, each with its reason. An entry that nothing needs fails the check. */
export const EXCEPTIONS: Readonly<Record<string, string>> = {
  'environments/rate-limit.ts > storage/db.ts': 'the count is the decision (docs/adr/0005)',
  'events/events.ts > storage/db.ts': 'an event is a part of the statement that causes it',
  'keys/signing-keys.ts > events/events.ts': 'a rotation writes its event in the same transaction',
  'runtime/operator-key.ts > storage/db.ts': 'reads its row before there is a context',
};

/** Which packages of ours a package may import; tests may import every package. */
export const PACKAGE_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  'resource-server': [],
  express: ['resource-server'],
  fastify: ['resource-server'],
  hono: ['resource-server'],
  next: ['resource-server'],
  fastmcp: ['resource-server'],
  xmcp: ['resource-server'],
  'mcp-sdk': ['resource-server'],
  sdk: ['contract', 'resource-server'],
  demo: ['express', 'resource-server'],
  proxy: ['resource-server'],
  doctor: [],
  server: ['contract'],
  cli: ['server', 'demo', 'proxy', 'doctor', 'sdk'],
};

/** A fence around a library: only paths of packages/server/src that match may import it, or only its types. */
export type Fence = {
  readonly library: RegExp;
  readonly allowed: RegExp;
  readonly typesAllowed?: RegExp;
  readonly why: string;
};

export const SERVER_FENCES: readonly Fence[] = [
  {
    library: /^(fastify|@fastify\/.*)$/,
    allowed: /^(http\/|(gatewarden|error-answers|mounts|rpcs)\.ts$)|\.(routes|page)\.ts$/,
    // A page is made of several files, and those that read its request or write its reply name the types.
    typesAllowed: /^(login|oauth|clients|email)\//,
    why: 'Fastify stops at http/, .routes and .page',
  },
  {
    library: /^(pg|pg-.*|@electric-sql\/.*)$/,
    allowed: /^storage\//,
    why: 'database drivers stay in storage/',
  },
  {
    library: /^(@gatewarden\/contract\/.*|@bufbuild\/.*|@connectrpc\/.*)$/,
    allowed: /^(http\/|(gatewarden|error-answers|mounts|rpcs)\.ts$)|\.rpc\.ts$/,
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
