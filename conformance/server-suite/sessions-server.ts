import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { completable } from '@modelcontextprotocol/sdk/server/completable.js';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import {
  type EventStore,
  StreamableHTTPServerTransport,
} from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import {
  CreateMessageResultSchema,
  ElicitResultSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { embedded, image, plainTools, png, text, userMessage, wait } from './content.ts';

/** Serves one request of an MCP endpoint; `body` is what was parsed already, if anything was. */
export type McpEndpoint = (
  request: IncomingMessage,
  response: ServerResponse,
  body?: unknown,
) => Promise<void>;

/** A server of revision 2025-11-25 with sessions, on the official SDK 1.x, with everything the suite asks for. */
export function sessionsServer(): McpEndpoint {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  return async (request, response, body) => {
    const { host = '', origin } = request.headers;
    const local = (address: string): boolean =>
      /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(address);
    if (!local(host) || (origin !== undefined && !local(origin.replace(/^https?:\/\//, ''))))
      return void response.writeHead(403).end();
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? sessions.get(id) : undefined;
    if (typeof id === 'string' && !known) return void response.writeHead(404).end();
    const transport = known ?? (await open(sessions));
    return await transport.handleRequest(request, response, body);
  };
}

async function open(
  sessions: Map<string, StreamableHTTPServerTransport>,
): Promise<StreamableHTTPServerTransport> {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: remembered(),
    retryInterval: 200,
    onsessioninitialized: (id) => void sessions.set(id, transport),
    onsessionclosed: (id) => void sessions.delete(id),
  });
  await everything().connect(transport);
  return transport;
}

/** Keeps what was sent, so that a client whose stream was closed can ask for the rest by `Last-Event-ID`. */
function remembered(): EventStore {
  const sent: { id: string; stream: string; message: Parameters<EventStore['storeEvent']>[1] }[] =
    [];
  return {
    async storeEvent(stream, message) {
      const id = `${stream}_${sent.length}`;
      sent.push({ id, stream, message });
      return id;
    },
    async replayEventsAfter(last, { send }) {
      const at = sent.findIndex(({ id }) => id === last);
      const stream = sent[at]?.stream ?? '';
      for (const event of sent.slice(at + 1))
        if (event.stream === stream) await send(event.id, event.message);
      return stream;
    },
  };
}

function everything(): McpServer {
  const server = new McpServer(
    { name: 'everything', version: '1.0.0' },
    { capabilities: { logging: {}, resources: { subscribe: true }, completions: {} } },
  );
  for (const [name, result] of Object.entries(plainTools))
    server.registerTool(name, { description: `Returns a sample: ${name}` }, () => result);
  addTalkingTools(server);
  addResources(server);
  addPrompts(server);
  server.server.setRequestHandler(SetLevelRequestSchema, () => ({}));
  server.server.setRequestHandler(SubscribeRequestSchema, () => ({}));
  server.server.setRequestHandler(UnsubscribeRequestSchema, () => ({}));
  return server;
}

/** Tools that say something, or ask the client something, before they return. */
function addTalkingTools(server: McpServer): void {
  server.registerTool(
    'test_tool_with_logging',
    { description: 'Logs while it works' },
    async ({ sendNotification }) => {
      for (const data of [
        'Tool execution started',
        'Tool processing data',
        'Tool execution completed',
      ]) {
        await sendNotification({
          method: 'notifications/message',
          params: { level: 'info', data },
        });
        await wait(50);
      }
      return { content: [text('done')] };
    },
  );
  server.registerTool(
    'test_tool_with_progress',
    { description: 'Tells how far it is' },
    async ({ _meta, sendNotification }) => {
      const progressToken = _meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progressToken !== undefined)
          await sendNotification({
            method: 'notifications/progress',
            params: { progressToken, progress, total: 100 },
          });
        await wait(50);
      }
      return { content: [text('done')] };
    },
  );
  server.registerTool(
    'test_reconnection',
    { description: 'Closes its stream before it is done' },
    async ({ closeSSEStream }) => {
      await wait(50);
      closeSSEStream?.();
      await wait(300);
      return { content: [text('Reconnected')] };
    },
  );
  server.registerTool(
    'test_sampling',
    { description: 'Asks the client for a completion', inputSchema: { prompt: z.string() } },
    async ({ prompt }, { sendRequest }) => {
      // On the stream of this call: a stream of its own may not be open yet.
      const { content } = await sendRequest(
        {
          method: 'sampling/createMessage',
          params: { messages: [userMessage(text(prompt))], maxTokens: 100 },
        },
        CreateMessageResultSchema,
      );
      return { content: [text(`LLM response: ${JSON.stringify(content)}`)] };
    },
  );
  const ask = async (
    message: string,
    properties: Record<string, unknown>,
    required: string[],
    extra: {
      sendRequest: (
        request: never,
        schema: typeof ElicitResultSchema,
      ) => Promise<z.infer<typeof ElicitResultSchema>>;
    },
  ): Promise<z.infer<typeof ElicitResultSchema>> =>
    await extra.sendRequest(
      {
        method: 'elicitation/create',
        params: { message, requestedSchema: { type: 'object', properties, required } },
      } as never, // the SDK's type knows fewer schemas than the suite asks for
      ElicitResultSchema,
    );
  server.registerTool(
    'test_elicitation',
    { description: 'Asks the person', inputSchema: { message: z.string() } },
    async ({ message }, extra) => {
      const properties = {
        username: { type: 'string', description: "User's response" },
        email: { type: 'string', description: "User's email address" },
      };
      const { action, content } = await ask(
        message,
        properties,
        ['username', 'email'],
        extra as never,
      );
      return {
        content: [text(`User response: action=${action}, content=${JSON.stringify(content)}`)],
      };
    },
  );
  const forms: Record<string, Record<string, unknown>> = {
    test_elicitation_sep1034_defaults: {
      name: { type: 'string', default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    },
    test_elicitation_sep1330_enums: enumForms(),
  };
  for (const [name, properties] of Object.entries(forms))
    server.registerTool(name, { description: 'Asks the person with a form' }, async (extra) => {
      const { action, content } = await ask('Please fill in', properties, [], extra as never);
      return {
        content: [
          text(`Elicitation completed: action=${action}, content=${JSON.stringify(content)}`),
        ],
      };
    });
}

/** Five ways to offer a choice. */
function enumForms(): Record<string, unknown> {
  const plain = { type: 'string', enum: ['option1', 'option2', 'option3'] };
  const titled = ['First', 'Second', 'Third'].map((title, at) => ({
    const: `value${at + 1}`,
    title,
  }));
  return {
    untitledSingle: plain,
    titledSingle: { type: 'string', oneOf: titled },
    legacyEnum: {
      type: 'string',
      enum: ['opt1', 'opt2', 'opt3'],
      enumNames: ['Option One', 'Option Two', 'Option Three'],
    },
    untitledMulti: { type: 'array', items: plain },
    titledMulti: { type: 'array', items: { anyOf: titled } },
  };
}

function addResources(server: McpServer): void {
  const described = (description: string): { description: string } => ({ description });
  server.registerResource(
    'static-text',
    'test://static-text',
    { ...described('Text'), mimeType: 'text/plain' },
    ({ href: uri }) => ({
      contents: [
        { uri, mimeType: 'text/plain', text: 'This is the content of the static text resource.' },
      ],
    }),
  );
  server.registerResource(
    'static-binary',
    'test://static-binary',
    { ...described('A picture'), mimeType: 'image/png' },
    ({ href: uri }) => ({
      contents: [{ uri, mimeType: 'image/png', blob: png }],
    }),
  );
  server.registerResource(
    'watched',
    'test://watched-resource',
    { ...described('Changes'), mimeType: 'text/plain' },
    ({ href: uri }) => ({
      contents: [{ uri, mimeType: 'text/plain', text: 'watched' }],
    }),
  );
  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { ...described('By id'), mimeType: 'application/json' },
    ({ href: uri }, { id }) => ({
      contents: [
        {
          uri,
          mimeType: 'application/json',
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
        },
      ],
    }),
  );
}

function addPrompts(server: McpServer): void {
  server.registerPrompt('test_simple_prompt', { description: 'Without arguments' }, () => ({
    messages: [userMessage(text('This is a simple prompt for testing.'))],
  }));
  server.registerPrompt(
    'test_prompt_with_arguments',
    {
      description: 'With two arguments',
      argsSchema: {
        arg1: completable(z.string().describe('First'), (value) =>
          ['paris', 'park', 'party'].filter((word) => word.startsWith(value)),
        ),
        arg2: z.string().describe('Second'),
      },
    },
    ({ arg1, arg2 }) => ({
      messages: [userMessage(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
    }),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    {
      description: 'With a resource',
      argsSchema: { resourceUri: z.string().describe('What to embed') },
    },
    ({ resourceUri }) => ({
      messages: [
        userMessage(embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.')),
        userMessage(text('Please process the embedded resource above.')),
      ],
    }),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'With a picture' }, () => ({
    messages: [userMessage(image), userMessage(text('Please analyze the image above.'))],
  }));
}
