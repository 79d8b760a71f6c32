/** One challenge of a WWW-Authenticate header (RFC 9110 §11.6.1). */
export type Challenge = {
  /** In lower case. */
  readonly scheme: string;
  /** By lower-case name. */
  readonly parameters: ReadonlyMap<string, string>;
};

export type ParsedChallenges = {
  readonly challenges: readonly Challenge[];
  /** What is wrong with the text; what could be read stands in `challenges` all the same. */
  readonly problem: string | undefined;
};

const SCHEME = /^([A-Za-z][!#$%&'*+.^_`|~\w-]*)(?=[ ,]|$)(?!\s*=)/;
const PARAMETER =
  /^([!#$%&'*+.^_`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~\w-]+))(?=[\s,]|$)/;
const LOOSE = /^([!#$%&'*+.^_`|~\w-]+)\s*=\s*"?([^",\s]*)"?/;

/** Reads every challenge of a header, its fields joined by commas. Tolerant, and says what it had to tolerate. */
export function parseChallenges(text: string): ParsedChallenges {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let problem: string | undefined;
  let rest = text.trim();
  while (rest !== '') {
    rest = rest.replace(/^[\s,]+/, '');
    const scheme = SCHEME.exec(rest);
    if (scheme && !/^[\w-]+\s*=/.test(rest)) {
      challenges.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters: new Map() });
      rest = rest.slice(scheme[0].length).trimStart();
      continue;
    }
    if (rest === '') break;
    const current = challenges.at(-1);
    const strict = PARAMETER.exec(rest);
    const pair = strict ?? LOOSE.exec(rest);
    if (!current || !pair) {
      problem ??= `it cannot be read from "${rest.slice(0, 60)}" on`;
      break;
    }
    const name = (pair[1] ?? '').toLowerCase();
    if (!strict) problem ??= `the value of ${name} needs quotes`;
    if (current.parameters.has(name)) problem ??= `${name} occurs twice`;
    const value = strict?.[2]?.replace(/\\(.)/g, '$1') ?? pair[3] ?? pair[2] ?? '';
    if (!current.parameters.has(name)) current.parameters.set(name, value);
    rest = rest.slice(pair[0].length).trimStart();
    if (rest !== '' && !rest.startsWith(',')) problem ??= `a comma is missing after ${name}`;
  }
  return { challenges, problem };
}

/**
 * The challenge that says how to present a token: Bearer before DPoP where both are offered, and of several of a kind the
 * one that names the metadata.
 */
export function tokenChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  const [bearer, bound] = ['bearer', 'dpop'].map((wanted) => {
    const ours = challenges.filter(({ scheme }) => scheme === wanted);
    return ours.find(({ parameters }) => parameters.has('resource_metadata')) ?? ours[0];
  });
  return bearer ?? bound;
}
