import { type PGlite, protocol } from '@electric-sql/pglite';
import { isStalePlan } from './failures.ts';
import { preparedNames } from './prepared-names.ts';
import { type Parse, parserOf } from './values.ts';

/**
 * Prepared statements for the embedded engine, whose own query() plans anew each time and enters WebAssembly five times:
 * a statement seen before takes a third of the time. The caller sends one after the other.
 */
export type Wire = {
  rows(text: string, values: (string | null)[]): Promise<Record<string, unknown>[]>;
  /** BEGIN, COMMIT or ROLLBACK; returns the command tag of the answer. */
  control(text: string): Promise<string>;
};

type Column = { name: string; parse: Parse };
type Message = Awaited<ReturnType<PGlite['execProtocolStream']>>[number];

const { serialize } = protocol;

export function wireOf(pglite: PGlite): Wire {
  const names = preparedNames();
  const columnsOf = new Map<string, Column[]>();
  const send = (...messages: Uint8Array[]): Promise<Message[]> =>
    pglite.execProtocolStream(Buffer.concat([...messages, serialize.sync()]), { syncToFs: false });

  async function prepare(text: string, name: string): Promise<Column[]> {
    const known = columnsOf.get(name);
    if (known) return known;
    try {
      const answer = await send(
        serialize.parse({ name, text }),
        serialize.describe({ type: 'S', name }),
      );
      const columns = columnsIn(answer);
      columnsOf.set(name, columns);
      return columns;
    } catch (error) {
      // The name may be taken now, by a statement that could be parsed and not described.
      names.forget(text);
      throw error;
    }
  }

  return {
    rows: async (text, values) => {
      const name = names.of(text);
      if (name === undefined) {
        const answer = await send(
          serialize.parse({ text }),
          serialize.bind({ values }),
          serialize.describe({ type: 'P' }),
          serialize.execute({}),
        );
        return rowsIn(answer, columnsIn(answer));
      }
      const columns = await prepare(text, name);
      try {
        return rowsIn(
          await send(serialize.bind({ statement: name, values }), serialize.execute({})),
          columns,
        );
      } catch (error) {
        if (isStalePlan(error)) {
          names.forget(text);
          columnsOf.delete(name);
        }
        throw error;
      }
    },
    control: async (text) => {
      const answer = await pglite.execProtocolStream(serialize.query(text), { syncToFs: false });
      const tag = answer.find((message) => message.name === 'commandComplete');
      return tag && 'text' in tag ? String(tag.text) : '';
    },
  };
}

/** Names and parsers from the row description, which a statement that returns nothing does not have. */
function columnsIn(answer: Message[]): Column[] {
  const description = answer.find((message) => message.name === 'rowDescription');
  // The driver's union is told apart by name only, not by type.
  const { fields } = (description ?? { fields: [] }) as unknown as {
    fields: { name: string; dataTypeID: number }[];
  };
  return fields.map(({ name, dataTypeID }) => ({ name, parse: parserOf(dataTypeID) }));
}

function rowsIn(answer: Message[], columns: Column[]): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = [];
  for (const message of answer) {
    if (message.name !== 'dataRow') continue;
    const { fields } = message as unknown as { fields: (string | null)[] }; // as above
    const row: Record<string, unknown> = {};
    for (const [index, column] of columns.entries()) {
      const text = fields[index];
      row[column.name] = text === null || text === undefined ? null : column.parse(text);
    }
    rows.push(row);
  }
  return rows;
}
