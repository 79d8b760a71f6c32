/** How a client becomes known to an authorization server, in its own order of preference. */
export type RegistrationRoute = 'metadata document' | 'dynamic registration' | 'pre-registered';

/** What is known of an MCP client from outside. Versions change; what a server has to survive changes less. */
export type KnownClient = {
  readonly name: string;
  /** Other spellings for `--client`. */
  readonly aliases: readonly string[];
  readonly routes: readonly RegistrationRoute[];
  /** Client id of a metadata document; members in capitals stand for a changing part. */
  readonly metadataDocument?: string;
  /** It sends its metadata document even where that is not advertised. */
  readonly insistsOnDocument?: true;
  readonly redirectUris: readonly string[];
  /** Methods at the token endpoint, preferred first. */
  readonly authMethods: readonly string[];
  /** It reaches only https on port 443 of the internet, since its requests come from its maker's servers. */
  readonly hosted?: true;
  /** It runs in a browser page of this origin. */
  readonly browserOrigin?: string;
  /** It refuses metadata whose issuer is not the one asked for (RFC 8414 §3.3), and a wrong iss. */
  readonly strictIssuer?: true;
  /** It refuses resource metadata about another address than the one typed. */
  readonly strictResource?: true;
  readonly remarks: readonly string[];
};

const loopback = 'http://127.0.0.1:PORT/callback';

/** The clients that people use, and libraries that others are built on. */
export const knownClients: readonly KnownClient[] = [
  {
    name: 'Claude.ai',
    aliases: ['claude', 'claude-desktop', 'claude.ai'],
    routes: ['metadata document', 'dynamic registration', 'pre-registered'],
    metadataDocument: 'https://claude.ai/oauth/mcp-oauth-client-metadata',
    redirectUris: ['https://claude.ai/api/mcp/auth_callback'],
    authMethods: ['client_secret_post', 'none'],
    hosted: true,
    strictResource: true,
    remarks: [
      'Claude Desktop connectors are the same client.',
      'It registers with client_secret_post and reads from the answer what it got; none is fine.',
      'It registers twice for one connection.',
    ],
  },
  {
    name: 'Claude Code',
    aliases: ['claude-code'],
    routes: ['metadata document', 'dynamic registration', 'pre-registered'],
    metadataDocument: 'https://claude.ai/oauth/claude-code-client-metadata',
    redirectUris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
    authMethods: ['none'],
    remarks: [
      'The port of the redirect URI is another one each time.',
      'Several processes refresh one token at the same time.',
    ],
  },
  {
    name: 'ChatGPT',
    aliases: ['chatgpt', 'openai'],
    routes: ['metadata document', 'dynamic registration'],
    metadataDocument: 'https://chatgpt.com/oauth/ID/client.json',
    redirectUris: [
      'https://chatgpt.com/connector/oauth/ID',
      'https://chatgpt.com/connector_platform_oauth_redirect',
    ],
    authMethods: ['private_key_jwt', 'none'],
    hosted: true,
    remarks: [
      'Its document prefers private_key_jwt (RS256) and lists none as the second choice.',
      'It may send an empty scope.',
    ],
  },
  {
    name: 'Cursor',
    aliases: ['cursor'],
    routes: ['dynamic registration', 'pre-registered'],
    redirectUris: ['cursor://anysphere.cursor-mcp/oauth/callback', 'http://localhost:8787/'],
    authMethods: ['none'],
    remarks: [
      'Its redirect URI has a scheme of its own; a registration that refuses it fails as a whole.',
      'It may send no state, and application_type web.',
    ],
  },
  {
    name: 'VS Code',
    aliases: ['vscode', 'vs-code', 'visual-studio-code'],
    routes: ['metadata document', 'dynamic registration', 'pre-registered'],
    redirectUris: [
      'http://127.0.0.1/',
      'http://127.0.0.1:33418/',
      'https://vscode.dev/redirect',
      'https://insiders.vscode.dev/redirect',
    ],
    authMethods: ['none'],
    remarks: ['It registers port 33418 and may come back on another one.'],
  },
  {
    name: 'MCP Inspector',
    aliases: ['inspector', 'mcp-inspector'],
    routes: ['dynamic registration', 'pre-registered'],
    redirectUris: [
      'http://localhost:6274/oauth/callback',
      'http://localhost:6274/oauth/callback/debug',
    ],
    authMethods: ['none'],
    browserOrigin: 'http://localhost:6274',
    remarks: ['It runs in a browser and needs CORS everywhere.'],
  },
  {
    name: 'mcp-remote',
    aliases: ['mcp-remote'],
    routes: ['dynamic registration', 'pre-registered'],
    redirectUris: ['http://localhost:PORT/oauth/callback'],
    authMethods: ['none', 'client_secret_post'],
    remarks: [
      'It keeps its registration on disk and uses it until the token endpoint answers invalid_client.',
      'Without scopes in the metadata it asks for openid email profile.',
    ],
  },
  {
    name: 'Goose',
    aliases: ['goose'],
    routes: ['metadata document', 'pre-registered'],
    metadataDocument: 'https://goose-docs.ai/oauth/client-metadata.json',
    insistsOnDocument: true,
    redirectUris: [loopback],
    authMethods: ['none'],
    strictIssuer: true,
    remarks: ['It sends its metadata document even where that is not advertised.'],
  },
  {
    name: 'Copilot Studio',
    aliases: ['copilot-studio', 'copilot'],
    routes: ['dynamic registration', 'pre-registered'],
    redirectUris: ['https://global.consent.azure-apim.net/redirect/CONNECTOR'],
    authMethods: ['client_secret_post', 'client_secret_basic', 'none'],
    hosted: true,
    remarks: ['Each connector has a redirect URI of its own.'],
  },
  {
    name: 'LM Studio',
    aliases: ['lm-studio', 'lmstudio'],
    routes: ['dynamic registration'],
    redirectUris: ['http://localhost:1234/callback'],
    authMethods: ['none'],
    remarks: [
      'It registers without grant_types and response_types and needs both as arrays in the answer.',
    ],
  },
  {
    name: 'FastMCP client',
    aliases: ['fastmcp', 'fastmcp-client'],
    routes: ['dynamic registration', 'metadata document', 'pre-registered'],
    redirectUris: ['http://localhost:PORT/callback'],
    authMethods: ['none', 'client_secret_post'],
    strictIssuer: true,
    remarks: ['Where the program that embeds it has a metadata document, it uses that.'],
  },
  {
    name: 'TypeScript SDK 1.x',
    aliases: ['typescript-sdk-1', 'sdk-1', 'sdk1'],
    routes: ['dynamic registration', 'metadata document', 'pre-registered'],
    redirectUris: [loopback],
    authMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    remarks: [
      'A library: redirect URI and metadata document are those of the program that uses it.',
    ],
  },
  {
    name: 'TypeScript SDK 2.x',
    aliases: ['typescript-sdk-2', 'sdk-2', 'sdk2'],
    routes: ['dynamic registration', 'metadata document', 'pre-registered'],
    redirectUris: [loopback],
    authMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    strictIssuer: true,
    remarks: [
      'A library: redirect URI and metadata document are those of the program that uses it.',
    ],
  },
];

/** A known client by its name or another spelling of it, without regard to case; undefined when there is none. */
export function findClient(text: string): KnownClient | undefined {
  const wanted = text.trim().toLowerCase();
  return knownClients.find(
    ({ name, aliases }) => name.toLowerCase() === wanted || aliases.includes(wanted),
  );
}
