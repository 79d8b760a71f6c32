import { type BodyRewriter, bodyFields, type ResponseDuties } from './request.ts';

type Whole = Extract<BodyRewriter, { kind: 'whole' }>;
type Chunked = Extract<BodyRewriter, { kind: 'stream' }>;

/** Carries out the duties of a decision on a handler's response. */
export async function dutifulResponse(
  response: Response,
  { started, rewrite, untilOver }: ResponseDuties,
): Promise<Response> {
  const { status } = response;
  const header = (name: string): string | undefined => response.headers.get(name) ?? undefined;
  started({ status, header });
  const { body } = response;
  if (!body) return response;
  const rewriter = rewrite?.({ status, header });
  if (rewriter?.kind === 'whole') return rewritten(response, body, rewriter);
  const stream = rewriter ? body.pipeThrough(transform(rewriter)) : body;
  const limited = untilOver ? endingStream(stream, untilOver) : stream;
  return limited === body ? response : withBody(response, limited, rewriter !== undefined);
}

async function rewritten(
  response: Response,
  body: ReadableStream<Uint8Array>,
  rewriter: Whole,
): Promise<Response> {
  const result = rewriter.finish(await readWithin(body, rewriter.limitBytes));
  if (result instanceof Uint8Array) return withBody(response, new Uint8Array(result), true);
  return new Response(result.body ?? null, {
    status: result.status,
    headers: { ...result.headers },
  });
}

async function readWithin(
  body: ReadableStream<Uint8Array>,
  limit: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer());
    size += value.byteLength;
    if (size > limit) {
      await reader.cancel();
      return undefined;
    }
    chunks.push(new Uint8Array(value));
  }
}

function transform(rewriter: Chunked): TransformStream<Uint8Array, Uint8Array> {
  const send = (
    controller: TransformStreamDefaultController<Uint8Array>,
    bytes: Uint8Array,
  ): void => {
    if (bytes.byteLength > 0) controller.enqueue(bytes);
  };
  return new TransformStream({
    transform: (chunk, controller) => send(controller, rewriter.push(chunk)),
    flush: (controller) => send(controller, rewriter.flush()),
  });
}

/** The same stream, which ends by itself when its time is up. */
function endingStream(
  source: ReadableStream<Uint8Array>,
  untilOver: NonNullable<ResponseDuties['untilOver']>,
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  let ended = false;
  let cancelTimer = (): void => undefined;
  const end = (how: () => void): void => {
    if (ended) return;
    ended = true;
    cancelTimer();
    how();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        cancelTimer = untilOver(() =>
          end(() => {
            controller.close();
            reader.cancel().catch(() => undefined); // the handler's own trouble while it cleans up
          }),
        );
      },
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) end(() => controller.close());
          else if (!ended) controller.enqueue(value);
        } catch (error) {
          end(() => controller.error(error));
        }
      },
      cancel(reason) {
        end(() => undefined);
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

function withBody(response: Response, body: BodyInit, changed: boolean): Response {
  const headers = new Headers(response.headers);
  if (changed) for (const name of bodyFields) headers.delete(name);
  const { status, statusText } = response;
  return new Response(body, { status, statusText, headers });
}
