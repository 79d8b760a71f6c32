/**
 * Names for prepared statements, the same text always getting the same name. Bounded, since a server keeps each one for as
 * long as the connection lives; a text beyond the bound is sent without a name, which is slower and nothing else.
 */
export type PreparedNames = {
  of(text: string): string | undefined;
  /** The statement's columns have changed: the text gets a new name, and so a new plan, on every connection. */
  forget(text: string): void;
};

const MOST = 500;

export function preparedNames(): PreparedNames {
  const names = new Map<string, string>();
  let count = 0;
  return {
    of: (text) => {
      const known = names.get(text);
      if (known || names.size >= MOST) return known;
      const name = `s${count++}`;
      names.set(text, name);
      return name;
    },
    forget: (text) => {
      names.delete(text);
    },
  };
}
