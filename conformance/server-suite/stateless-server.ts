import { randomBytes } from 'node:crypto';
import {
  localhostHostValidation,
  localhostOriginValidation,
  toNodeHandler,
} from '@modelcontextprotocol/node';
import {
  acceptedContent,
  completable,
  createMcpHandler,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  type McpHttpHandler,
  McpServer,
  ResourceTemplate,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { embedded, image, plainTools, png, text, userMessage, wait } from './content.ts';
import type { McpEndpoint } from './sessions-server.ts';

type Said = { content: { type: 'text'; text: string }[] };
const say = (said: string): Said => ({ content: [text(said)] });

const form = (name: string, type: 'string' | 'boolean') => ({
  type: 'object' as const,
  properties: { [name]: type === 'string' ? { type } : { type } },
  required: [name],
});

/** A server of revision 2026-07-28, without sessions, on the official SDK 2.x, with everything the suite asks for. */
export function statelessServer(): McpEndpoint {
  const codec = createRequestStateCodec<{ step: string }>({ key: randomBytes(32) });
  let notify: McpHttpHandler['notify'] | undefined;
  const handler = createMcpHandler(() => {
    const server = new McpServer(
      { name: 'everything', version: '2.0.0' },
      {
        capabilities: {
          logging: {},
          completions: {},
          tools: { listChanged: true },
          prompts: { listChanged: true },
        },
        requestState: { verify: codec.verify },
        cacheHints: Object.fromEntries(
          [
            'tools/list',
            'prompts/list',
            'resources/list',
            'resources/templates/list',
            'resources/read',
          ].map((method) => [method, { ttlMs: 1_000, cacheScope: 'private' }]),
        ),
      },
    );
    for (const [name, result] of Object.entries(plainTools))
      server.registerTool(name, { description: `Returns a sample: ${name}` }, () => result);
    addTalkingTools(server);
    addQuestions(server, codec);
    server.registerTool(
      'test_trigger_tool_change',
      { description: 'Says that tools changed' },
      () => {
        notify?.toolsChanged();
        return say('changed');
      },
    );
    server.registerTool(
      'test_trigger_prompt_change',
      { description: 'Says that prompts changed' },
      () => {
        notify?.promptsChanged();
        return say('changed');
      },
    );
    addResources(server);
    addPrompts(server);
    return server;
  });
  notify = handler.notify;
  const serve = toNodeHandler(handler);
  const [host, origin] = [localhostHostValidation(), localhostOriginValidation()];
  return async (request, response, body) => {
    if (host(request, response) && origin(request, response))
      await serve(request as never, response, body); // its type leaves out `undefined` members
  };
}

function addTalkingTools(server: McpServer): void {
  server.registerTool(
    'test_tool_with_progress',
    { description: 'Tells how far it is' },
    async (ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progressToken !== undefined)
          await ctx.mcpReq.notify({
            method: 'notifications/progress',
            params: { progressToken, progress, total: 100 },
          });
        await wait(50);
      }
      return say('done');
    },
  );
  server.registerTool(
    'test_headers',
    {
      description: 'Wants a parameter in a header too (SEP-2243)',
      inputSchema: z.object({ region: z.string().meta({ 'x-mcp-header': 'Region' }) }),
    },
    ({ region }) => say(region),
  );
  server.registerTool('test_logging_tool', { description: 'Logs while it works' }, async (ctx) => {
    await ctx.mcpReq.log('info', 'working');
    return say('done');
  });
}

const name = () =>
  inputRequired.elicit({ message: 'What is your name?', requestedSchema: form('name', 'string') });
const capital = (question: string, maxTokens: number) =>
  inputRequired.createMessage({ messages: [userMessage(text(question))], maxTokens });

/** Tools that return a question to the client before they return a result (SEP-2322). */
function addQuestions(
  server: McpServer,
  codec: ReturnType<typeof createRequestStateCodec<{ step: string }>>,
): void {
  const described = { description: 'Asks for something first' };
  const askName = (ctx: ServerContext) => {
    const given = acceptedContent(
      ctx.mcpReq.inputResponses,
      'user_name',
      z.object({ name: z.string() }),
    );
    return given
      ? say(`Hello, ${given.name}!`)
      : inputRequired({ inputRequests: { user_name: name() } });
  };
  server.registerTool('test_input_required_result_elicitation', described, askName);
  server.registerTool('test_streaming_elicitation', described, askName);
  server.registerTool('test_missing_capability', described, (ctx) => {
    const answer = inputResponse(ctx.mcpReq.inputResponses, 'capital_question');
    return answer.kind === 'sampling'
      ? say(JSON.stringify(answer.result.content))
      : inputRequired({
          inputRequests: { capital_question: capital('What is the capital of France?', 100) },
        });
  });
  server.registerTool('test_input_required_result_sampling', described, (ctx) => {
    const answer = inputResponse(ctx.mcpReq.inputResponses, 'capital_question');
    return answer.kind === 'sampling'
      ? say(JSON.stringify(answer.result.content))
      : inputRequired({
          inputRequests: { capital_question: capital('What is the capital of France?', 100) },
        });
  });
  server.registerTool('test_input_required_result_list_roots', described, (ctx) => {
    const answer = inputResponse(ctx.mcpReq.inputResponses, 'client_roots');
    return answer.kind === 'roots'
      ? say(`Roots: ${answer.roots.map(({ uri }) => uri).join(', ')}`)
      : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
  server.registerTool('test_input_required_result_capabilities', described, (ctx) => {
    const { elicitation, sampling } = server.server.getClientCapabilities() ?? {};
    if (ctx.mcpReq.inputResponses) return say('thanks');
    return inputRequired({
      inputRequests: {
        ...(elicitation ? { user_name: name() } : {}),
        ...(sampling ? { greeting: capital('Generate a greeting', 50) } : {}),
      },
      requestState: 'asked',
    });
  });
  const step = (ctx: ServerContext): string | undefined =>
    ctx.mcpReq.requestState<{ step: string }>()?.step;
  for (const tool of [
    'test_input_required_result_request_state',
    'test_input_required_result_tampered_state',
  ])
    server.registerTool(tool, described, async (ctx) => {
      const given = acceptedContent(
        ctx.mcpReq.inputResponses,
        'confirm',
        z.object({ ok: z.boolean() }),
      );
      if (given && step(ctx) === 'confirm') return say('state-ok');
      return inputRequired({
        inputRequests: {
          confirm: inputRequired.elicit({
            message: 'Please confirm',
            requestedSchema: form('ok', 'boolean'),
          }),
        },
        requestState: await codec.mint({ step: 'confirm' }, ctx),
      });
    });
  server.registerTool('test_input_required_result_multiple_inputs', described, async (ctx) => {
    const answers = ctx.mcpReq.inputResponses;
    if (answers && ['user_name', 'greeting', 'client_roots'].every((key) => key in answers))
      return say('thanks');
    return inputRequired({
      inputRequests: {
        user_name: name(),
        greeting: capital('Generate a greeting', 50),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await codec.mint({ step: 'all' }, ctx),
    });
  });
  server.registerTool('test_input_required_result_multi_round', described, async (ctx) => {
    const ask = async (key: string, message: string, field: string) =>
      inputRequired({
        inputRequests: {
          [key]: inputRequired.elicit({ message, requestedSchema: form(field, 'string') }),
        },
        requestState: await codec.mint({ step: key }, ctx),
      });
    const at = step(ctx);
    if (at === 'step2') return say('done');
    if (at === 'step1') return await ask('step2', 'Step 2: What is your favorite color?', 'color');
    return await ask('step1', 'Step 1: What is your name?', 'name');
  });
}

function addResources(server: McpServer): void {
  const contents = (uri: string, mimeType: string, body: { text: string } | { blob: string }) => ({
    contents: [{ uri, mimeType, ...body }],
  });
  server.registerResource(
    'static-text',
    'test://static-text',
    { description: 'Text', mimeType: 'text/plain' },
    ({ href }) =>
      contents(href, 'text/plain', { text: 'This is the content of the static text resource.' }),
  );
  server.registerResource(
    'static-binary',
    'test://static-binary',
    { description: 'A picture', mimeType: 'image/png' },
    ({ href }) => contents(href, 'image/png', { blob: png }),
  );
  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { description: 'By id', mimeType: 'application/json' },
    ({ href }, { id }) =>
      contents(href, 'application/json', {
        text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
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
      argsSchema: z.object({
        arg1: completable(z.string().describe('First'), (value) =>
          ['paris', 'park', 'party'].filter((word) => word.startsWith(value)),
        ),
        arg2: z.string().describe('Second'),
      }),
    },
    ({ arg1, arg2 }) => ({
      messages: [userMessage(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
    }),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    {
      description: 'With a resource',
      argsSchema: z.object({ resourceUri: z.string().describe('What to embed') }),
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
  server.registerPrompt(
    'test_input_required_result_prompt',
    { description: 'Asks first' },
    (ctx) => {
      const given = acceptedContent(
        ctx.mcpReq.inputResponses,
        'user_context',
        z.object({ context: z.string() }),
      );
      if (given) return { messages: [userMessage(text(`About ${given.context}`))] };
      return inputRequired({
        inputRequests: {
          user_context: inputRequired.elicit({
            message: 'What context should the prompt use?',
            requestedSchema: form('context', 'string'),
          }),
        },
      });
    },
  );
}
