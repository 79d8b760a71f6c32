/** Two texts as what they share at both ends and what differs between. */
export type Difference = { start: string; left: string; right: string; end: string };

/** Compares two texts character by character from both ends, so that a wrong slash or port stands out. */
export function difference(left: string, right: string): Difference {
  const a = Array.from(left);
  const b = Array.from(right);
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < shorter - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  return {
    start: a.slice(0, start).join(''),
    left: a.slice(start, a.length - end).join(''),
    right: b.slice(start, b.length - end).join(''),
    end: a.slice(a.length - end).join(''),
  };
}

/** The candidate that differs least; undefined when there is none. */
export function nearest(value: string, candidates: readonly string[]): string | undefined {
  const cost = (candidate: string): number => {
    const { left, right } = difference(value, candidate);
    return Math.max(left.length, right.length);
  };
  return candidates.toSorted((a, b) => cost(a) - cost(b))[0];
}
