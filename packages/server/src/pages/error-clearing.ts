import type { ClientProduct } from './error-problem.ts';
import { type Html, html } from './html.ts';
import { type Locale, type MessageKey, t } from './messages.ts';
import { rows } from './parts.ts';

const products: Readonly<Record<ClientProduct, { name: string; steps: MessageKey }>> = {
  claude: { name: 'Claude', steps: 'clear.claude' },
  chatgpt: { name: 'ChatGPT', steps: 'clear.chatgpt' },
  cursor: { name: 'Cursor', steps: 'clear.cursor' },
  vscode: { name: 'VS Code', steps: 'clear.vscode' },
  'mcp-remote': { name: 'mcp-remote', steps: 'clear.mcpRemote' },
  inspector: { name: 'MCP Inspector', steps: 'clear.inspector' },
};

/** How to make each well-known client forget a registration that is gone, the likely one first (AS-22). */
export function clearingSteps(locale: Locale, likely: ClientProduct | undefined): Html {
  const all = Object.entries(products);
  const ordered = [...all.filter(([id]) => id === likely), ...all.filter(([id]) => id !== likely)];
  return html`<p>${t(locale, 'errors.client.do')}</p>
<div class="steps">${rows(ordered.map(([, { name, steps }]) => ({ label: name, value: t(locale, steps) })))}
<p>${t(locale, 'clear.other')}</p></div>`;
}
