import type { OpenApi, Operation, Parameter } from '../http/openapi.ts';
import type { Schema } from '../http/openapi-schemas.ts';
import { assetPath } from './assets.ts';
import { type Html, html } from './html.ts';

type Described = { readonly verb: string; readonly path: string; readonly operation: Operation };

const CALLERS = {
  open: 'open to everybody',
  client: 'with a token',
  other: 'not for clients',
} as const;

/** The list of services, each with its page. */
export function apiIndexPage(api: OpenApi): Html {
  const all = operationsOf(api);
  const rows = api.tags.map(({ name }) => {
    const own = all.filter(({ operation }) => operation.tags[0] === name);
    const served = own.filter(({ operation }) => !operation['x-unavailable']).length;
    return html`<tr><td><a href="/openapi/${name}">${name}</a></td><td>${own.length}</td><td>${served}</td></tr>`;
  });
  return page(
    api.info.title,
    html`<h1>${api.info.title}</h1>
<p>${api.info.description}</p>
<p>Programs read <a href="/openapi.json">/openapi.json</a> (OpenAPI ${api.openapi}). Calls carry <code>Authorization: Bearer</code> and a token of an environment client.</p>
<table><thead><tr><th scope="col">Service</th><th scope="col">Paths</th><th scope="col">On this server</th></tr></thead><tbody>${rows}</tbody></table>`,
  );
}

/** One service with all its methods and the messages they use; undefined when there is no such service. */
export function apiServicePage(api: OpenApi, service: string): Html | undefined {
  const own = operationsOf(api).filter(({ operation }) => operation.tags[0] === service);
  if (own.length === 0) return undefined;
  const names = [...messagesOf(api, own)].sort();
  return page(
    `${service} · ${api.info.title}`,
    html`<p><a href="/openapi">All services</a></p>
<h1>${service}</h1>
${own.map(operationPart)}
<h2>Messages</h2>
${names.map((name) => messagePart(name, api.components.schemas[name] ?? {}))}`,
  );
}

function operationsOf(api: OpenApi): Described[] {
  return Object.entries(api.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => ({
      verb: verb.toUpperCase(),
      path,
      operation,
    })),
  );
}

function operationPart({ verb, path, operation }: Described): Html {
  const { operationId, summary, parameters, requestBody, responses } = operation;
  const [status = '', success] = Object.entries(responses)[0] ?? [];
  const answer = success && 'content' in success ? success.content['application/json'].schema : {};
  return html`<section aria-labelledby="${operationId}">
<h2 id="${operationId}">${summary}</h2>
<p class="call"><span class="verb">${verb}</span> <code>${path}</code></p>
<p class="marks">${CALLERS[operation['x-callers']]}${operation['x-preview'] === true && html` · preview`}${operation.deprecated === true && html` · deprecated`}${operation['x-unavailable'] === true && html` · not on this server (501)`}</p>
${parameters.length > 0 && parameterTable(parameters)}
${requestBody !== undefined && html`<p>Body: ${typeOf(requestBody.content['application/json'].schema)}</p>`}
<p>Answer ${status}: ${typeOf(answer)}</p>
</section>`;
}

function parameterTable(parameters: readonly Parameter[]): Html {
  return html`<table><thead><tr><th scope="col">Parameter</th><th scope="col">In</th><th scope="col">Type</th></tr></thead><tbody>${parameters.map(
    (each) =>
      html`<tr><td><code>${each.name}</code></td><td>${each.in}</td><td>${typeOf(each.schema)}</td></tr>`,
  )}</tbody></table>`;
}

function messagePart(name: string, schema: Schema): Html {
  const members = Object.entries(isSchema(schema['properties']) ? schema['properties'] : {});
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  return html`<section aria-labelledby="m-${name}"><h3 id="m-${name}">${name}</h3>
${
  members.length === 0
    ? html`<p>No members.</p>`
    : html`<table><thead><tr><th scope="col">Member</th><th scope="col">Type</th></tr></thead><tbody>${members.map(
        ([member, type]) =>
          html`<tr><td><code>${member}</code>${required.includes(member) && html` required`}</td><td>${typeOf(isSchema(type) ? type : {})}</td></tr>`,
      )}</tbody></table>`
}</section>`;
}

/** A type in a few words, with its limits; names of messages are links. */
function typeOf(schema: Schema): Html {
  const { $ref: ref, items, type, enum: values, properties, ...rest } = schema;
  if (typeof ref === 'string') {
    const name = nameOf(ref);
    return html`<a href="#m-${name}">${name}</a>`;
  }
  if (isSchema(items)) return html`list of ${typeOf(items)}${limits(rest)}`;
  if (Array.isArray(values)) return html`one of ${values.map(String).join(', ')}`;
  if (isSchema(properties)) return html`object with ${Object.keys(properties).join(', ')}`;
  return html`${typeof type === 'string' ? type : 'any'}${limits(rest)}`;
}

function limits(schema: Schema): string {
  const said = Object.entries(schema).filter(([, value]) => typeof value !== 'object');
  return said.length === 0
    ? ''
    : ` (${said.map(([name, value]) => (value === true ? name : `${name} ${String(value)}`)).join(', ')})`;
}

/** Names of all messages that operations refer to, and those these hold. */
function messagesOf(api: OpenApi, operations: readonly Described[]): Set<string> {
  const found = new Set<string>();
  const visit = (part: unknown): void => {
    const refs = JSON.stringify(part).matchAll(/"#\/components\/schemas\/([^"]+)"/g);
    for (const [, name = ''] of refs) {
      if (found.has(name)) continue;
      found.add(name);
      visit(api.components.schemas[name] ?? {});
    }
  };
  visit([operations.map(({ operation }) => operation), api.components.responses]);
  return found;
}

function nameOf(ref: string): string {
  return ref.slice('#/components/schemas/'.length);
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function page(title: string, main: Html): Html {
  return html`<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="${assetPath('icon.svg')}" type="image/svg+xml">
<link rel="stylesheet" href="${assetPath('reference.css')}">
</head>
<body>
<main>
${main}
</main>
</body>
</html>
`;
}
