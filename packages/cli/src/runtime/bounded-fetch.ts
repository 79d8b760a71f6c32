const timeLimitMs = 5_000;
const sizeLimitBytes = 262_144;

export type Answer = {
  readonly kind: 'answer';
  readonly status: number;
  readonly headers: Headers;
  /** At most 256 KiB; what is longer is cut. */
  readonly text: string;
};

/** Nothing answered: `code` is the network's own word for why, such as ECONNREFUSED or CERT_HAS_EXPIRED. */
export type NoAnswer = { readonly kind: 'none'; readonly code: string };

export type BoundedFetch = (
  url: string,
  init?: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  },
) => Promise<Answer | NoAnswer>;

/** One request, without following redirects, in at most 5 seconds. Fails with a value, not with an exception. */
export const boundedFetch: BoundedFetch = async (url, init = {}) => {
  try {
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeLimitMs),
    });
    const text = await readLimited(response);
    return { kind: 'answer', status: response.status, headers: response.headers, text };
  } catch (error) {
    return { kind: 'none', code: codeOf(error) };
  }
};

async function readLimited(response: Response): Promise<string> {
  if (!response.body) return '';
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let size = 0;
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.byteLength;
    text += decoder.decode(value, { stream: true });
    if (size > sizeLimitBytes) {
      await reader.cancel();
      return text;
    }
  }
}

/** Never the message: it may repeat what a stranger wrote. */
function codeOf(error: unknown): string {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    if ('code' in at && typeof at.code === 'string') return at.code;
    if (at.name === 'TimeoutError') return 'TIMEOUT';
  }
  return error instanceof Error ? error.name : 'UNKNOWN';
}
