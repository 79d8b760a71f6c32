/**
 * Whether a request would rather have JSON than a page. Browsers name HTML; programs name JSON, or nothing at all, and
 * then a page is as good as anything.
 */
export function prefersJson(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const weights = new Map<string, number>();
  for (const part of accept.slice(0, 2000).split(',')) {
    const [type = '', ...options] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const quality = Number(options.find((option) => option.startsWith('q='))?.slice(2) ?? '1');
    if (Number.isFinite(quality)) weights.set(type, Math.max(weights.get(type) ?? 0, quality));
  }
  const weight = (type: string, family: string): number =>
    weights.get(type) ?? weights.get(family) ?? weights.get('*/*') ?? 0;
  const json = weight('application/json', 'application/*');
  const page = weight('text/html', 'text/*');
  return (
    json > page || (json === page && weights.has('application/json') && !weights.has('text/html'))
  );
}
