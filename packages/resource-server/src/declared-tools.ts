import { ConfigurationError } from './errors.ts';

/** A schema as Zod, Valibot and ArkType make it (Standard Schema). */
type Schema<Output = unknown> = {
  readonly '~standard': { readonly types?: { readonly output: Output } | undefined };
};
type Shape = Readonly<Record<string, Schema>>;

type InputOf<S> =
  S extends Schema<infer Output>
    ? Output
    : { readonly [K in keyof S]: S[K] extends Schema<infer Output> ? Output : never };

/** What is used of an MCP server of the official SDK, 1.x or 2.x. */
type ToolServer = {
  registerTool(name: string, config: never, handler: never): unknown;
};

/** Method syntax compares parameters both ways, so that they are found although the SDK's own method is generic. */
type Config<Server> = Server extends {
  registerTool(name: string, config: infer Found, handler: never): unknown;
}
  ? Omit<Found, 'inputSchema'>
  : never;
type SdkHandler<Server> = Server extends {
  registerTool(name: string, config: never, handler: infer Found): unknown;
}
  ? Found
  : never;
type Last<List> = List extends readonly [...unknown[], infer Item] ? Item : never;
/** What the SDK's own handlers get as their last argument, and what they return. */
type Context<Handler> = Handler extends (...args: infer Args) => unknown ? Last<Args> : never;
type Result<Handler> = Handler extends (...args: never) => infer Value ? Value : never;

type Handler<S, Server> = S extends Schema | Shape
  ? (input: InputOf<S>, context: Context<SdkHandler<Server>>) => Result<SdkHandler<Server>>
  : (context: Context<SdkHandler<Server>>) => Result<SdkHandler<Server>>;

/** `registerTool` of an MCP server, for the tools of a declaration. */
export type RegisterDeclaredTool<Name extends string, Server extends ToolServer> = <
  const S extends Schema | Shape | undefined = undefined,
>(
  name: Name,
  config: Config<Server> & { readonly inputSchema?: S },
  handler: Handler<S, Server>,
) => ReturnType<Server['registerTool']>;

/**
 * Registers tools with an MCP server, but none that the declaration has no scopes for: its name does not
 * compile, and stops the start where no compiler looked. Scopes and tools then have one place.
 *
 *     const declaration = defineMcpServer({ …, tools: { list_todos: 'todo:read' } });
 *     const registerTool = declaredTools(declaration, mcpServer);
 *     registerTool('list_todos', { inputSchema }, (input) => …);
 *
 * The function it returns throws ConfigurationError (undeclared_tool).
 */
export function declaredTools<Name extends string, Server extends ToolServer>(
  declaration: { readonly tools?: { readonly [K in Name]: unknown } },
  server: Server,
): RegisterDeclaredTool<Name, Server> {
  return (name, config, handler) => {
    if (!Object.hasOwn(declaration.tools ?? {}, name)) {
      throw new ConfigurationError(
        'undeclared_tool',
        `the tool ${JSON.stringify(name)} has no scopes in the declaration; give it a rule in tools`,
      );
    }
    return Reflect.apply(server.registerTool, server, [name, config, handler]);
  };
}
