import { main } from '../src/index.ts';

export type Outcome = { readonly code: number; readonly out: string; readonly err: string };

/** Runs a command inside this process, with an environment of its own. */
export async function runCommand(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Outcome> {
  let out = '';
  let err = '';
  const code = await main(args, {
    env,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    exitOnSignal: false,
  });
  return { code, out, err };
}
