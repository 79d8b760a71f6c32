/** A client that many people use, as this release knows it. Operators add hosts of their own in the environment's settings. */
export type WellKnownClient = {
  readonly name: string;
  /** Other spellings under which impostors appear. */
  readonly aliases: readonly string[];
  /** Hosts of its client ID metadata documents; with a first path segment where the host serves others too. */
  readonly documentHosts: readonly { readonly host: string; readonly firstPathSegment?: string }[];
  readonly redirectHosts: readonly string[];
  /** Private-use URI schemes, without the colon. */
  readonly schemes: readonly string[];
};

export const WELL_KNOWN_CLIENTS: readonly WellKnownClient[] = [
  {
    name: 'Claude',
    aliases: ['Claude Code', 'Claude Desktop', 'Anthropic', 'Claude.ai'],
    documentHosts: [
      { host: 'claude.ai', firstPathSegment: 'oauth' },
      { host: 'claude.com', firstPathSegment: 'oauth' },
    ],
    redirectHosts: ['claude.ai', 'claude.com'],
    schemes: ['claude'],
  },
  {
    name: 'ChatGPT',
    aliases: ['OpenAI', 'Codex'],
    documentHosts: [{ host: 'chatgpt.com', firstPathSegment: 'oauth' }],
    redirectHosts: ['chatgpt.com'],
    schemes: [],
  },
  {
    name: 'Cursor',
    aliases: ['Cursor AI'],
    documentHosts: [{ host: 'cursor.com' }],
    redirectHosts: ['cursor.com', 'www.cursor.com'],
    schemes: ['cursor'],
  },
  {
    name: 'Visual Studio Code',
    aliases: ['VS Code', 'VSCode', 'GitHub Copilot'],
    documentHosts: [{ host: 'vscode.dev' }, { host: 'insiders.vscode.dev' }],
    redirectHosts: ['vscode.dev', 'insiders.vscode.dev'],
    schemes: ['vscode', 'vscode-insiders', 'code-oss'],
  },
  { name: 'Windsurf', aliases: [], documentHosts: [], redirectHosts: [], schemes: ['windsurf'] },
  {
    name: 'Goose',
    aliases: [],
    documentHosts: [{ host: 'goose-docs.ai', firstPathSegment: 'oauth' }],
    redirectHosts: [],
    schemes: ['goose'],
  },
  {
    name: 'Microsoft Copilot Studio',
    aliases: ['Copilot Studio'],
    documentHosts: [],
    redirectHosts: ['global.consent.azure-apim.net'],
    schemes: [],
  },
  { name: 'MCP Inspector', aliases: [], documentHosts: [], redirectHosts: [], schemes: [] },
  { name: 'mcp-remote', aliases: [], documentHosts: [], redirectHosts: [], schemes: [] },
  { name: 'LM Studio', aliases: [], documentHosts: [], redirectHosts: [], schemes: ['lmstudio'] },
  { name: 'Raycast', aliases: [], documentHosts: [], redirectHosts: [], schemes: ['raycast'] },
  { name: 'Zed', aliases: [], documentHosts: [], redirectHosts: [], schemes: ['zed'] },
];

/** The client whose metadata documents live at this URL, if it is on the list. */
export function wellKnownByDocument(url: URL): WellKnownClient | undefined {
  const segment = url.pathname.split('/')[1] ?? '';
  return WELL_KNOWN_CLIENTS.find((client) =>
    client.documentHosts.some(
      (place) =>
        place.host === url.hostname &&
        url.port === '' &&
        (place.firstPathSegment ?? segment) === segment,
    ),
  );
}

export function wellKnownByRedirectHost(host: string): WellKnownClient | undefined {
  return WELL_KNOWN_CLIENTS.find((client) => client.redirectHosts.includes(host));
}

/** The client that uses this private-use scheme (lower case, without the colon). */
export function wellKnownByScheme(scheme: string): WellKnownClient | undefined {
  return WELL_KNOWN_CLIENTS.find((client) => client.schemes.includes(scheme));
}
