import type { Ctx } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import type { PageQuery } from '../storage/page.ts';
import { ApiError } from './api-error.ts';

const DEFAULT_SIZE = 10;
const CHECK_BYTES = 12;

/** One part of one list; tokens of another list, filter or environment do not fit. */
export type PageOf<T> = {
  readonly items: T[];
  readonly nextPageToken: string;
  readonly prevPageToken: string;
};

/**
 * What a list call asks for. `list` names the list with its filters.
 *
 * @throws {ApiError} invalid_argument: the token is not one that this list gave out
 */
export function readPage(
  ctx: Pick<Ctx, 'environmentId'>,
  list: string,
  asked: { readonly pageToken?: string | undefined; readonly pageSize?: number | undefined },
): PageQuery {
  const limit = asked.pageSize || DEFAULT_SIZE;
  if (asked.pageToken === undefined || asked.pageToken === '') return { limit };
  const parts = /^([<>]):([A-Za-z0-9_-]{1,200})$/.exec(asked.pageToken);
  const cursor =
    Buffer.from(parts?.[2] ?? '', 'base64url')
      .toString('latin1')
      .split('.')[0] ?? '';
  const backwards = parts?.[1] === '<';
  if (
    !/^[a-z0-9]+_[0-9]{1,20}$/.test(cursor) ||
    pageToken(ctx, list, backwards, cursor) !== asked.pageToken
  )
    throw new ApiError(
      'invalid_argument',
      'INVALID_PAGE_TOKEN',
      'the page token is not one of this list',
      {
        fieldViolations: [
          { field: 'page_token', description: 'is not one of this list', constraint: 'page_token' },
        ],
      },
    );
  return { limit, cursor, backwards };
}

/** The rows of a query that ended in `inPage`, with the tokens of the parts before and after. */
export function pageOf<T extends { readonly id: string }>(
  ctx: Pick<Ctx, 'environmentId'>,
  list: string,
  page: PageQuery,
  rows: readonly T[],
): PageOf<T> {
  const more = rows.length > page.limit;
  const items = rows.slice(0, page.limit);
  if (page.backwards) items.reverse();
  const first = items.at(0)?.id;
  const last = items.at(-1)?.id;
  const newer = page.backwards ? more : page.cursor !== undefined;
  const older = page.backwards ? true : more;
  return {
    items,
    nextPageToken: older && last !== undefined ? pageToken(ctx, list, false, last) : '',
    prevPageToken: newer && first !== undefined ? pageToken(ctx, list, true, first) : '',
  };
}

/** Opaque to callers. The check tells a token of this list from all else; it is no secret, as the cursor opens nothing. */
function pageToken(
  ctx: Pick<Ctx, 'environmentId'>,
  list: string,
  backwards: boolean,
  cursor: string,
): string {
  const direction = backwards ? '<' : '>';
  const digest = sha256(JSON.stringify([ctx.environmentId, list, direction, cursor])).subarray(
    0,
    CHECK_BYTES,
  );
  const text = Buffer.from(`${cursor}.${Buffer.from(digest).toString('base64url')}`, 'latin1');
  return `${direction}:${text.toString('base64url')}`;
}
