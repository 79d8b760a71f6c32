import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeTables, readMigrations } from './storage-tables.mjs';

const FIRST = `-- Things.

-- What there is.
create table things (
  environment_id text not null references environments (id), -- whose
  id text not null,
  state text check (state in ('a', 'b')),      -- of the thing
  extra jsonb not null default '{}',
  old text,
  primary key (environment_id, id)
);
create index things_by_state on things (state);
`;
const SECOND = `-- More about things.
-- When it was seen.
alter table things add column seen_at timestamptz;
alter table things drop column old;
-- Encrypted from now on.
alter table things alter column extra type bytea using extra;
`;

test('storage document: columns are read with type and comment, through later changes', () => {
  const text = describeTables(readMigrations([FIRST, SECOND]));

  assert.equal(
    text,
    [
      '### things',
      '',
      'What there is.',
      '',
      '| column | type | meaning |',
      '| --- | --- | --- |',
      '| `environment_id` | text | whose |',
      '| `id` | text |  |',
      '| `state` | text, optional | of the thing |',
      '| `extra` | bytea | Encrypted from now on. |',
      '| `seen_at` | timestamptz, optional | When it was seen. |',
      '',
    ].join('\n'),
  );
});
