import { jsonText } from './db.ts';

/** How values travel, alike for both engines: everything as text, parsed here and by neither driver. */

const OID = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  oid: 26,
  json: 114,
  float4: 700,
  float8: 701,
  timestamptz: 1184,
  jsonb: 3802,
};
const ARRAYS: Record<number, number> = {
  1000: OID.bool,
  1001: OID.bytea,
  1016: OID.int8,
  1005: OID.int2,
  1007: OID.int4,
  1028: OID.oid,
  199: OID.json,
  1021: OID.float4,
  1022: OID.float8,
  1185: OID.timestamptz,
  3807: OID.jsonb,
  1009: 25,
  1015: 1043,
  1014: 1042,
  1002: 18,
  1003: 19,
  2951: 2950,
  1231: 1700,
  1182: 1082,
  1115: 1114,
  1183: 1083,
  1041: 869,
  651: 650,
  1187: 1186,
};

/**
 * A value as the text that PostgreSQL reads.
 *
 * @throws {TypeError} an object that is neither array, Date, Uint8Array nor json(): it would be stored as something unintended
 */
export function encode(value: unknown): string | null {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'undefined':
      return null;
    case 'object':
      return value === null ? null : encodeObject(value);
    default:
      throw new TypeError(`a ${typeof value} cannot be a value of a query`);
  }
}

function encodeObject(value: object): string {
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array)
    return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  if (Array.isArray(value)) return `{${value.map(encodeElement).join(',')}}`;
  const text = jsonText(value);
  if (text === undefined)
    throw new TypeError('an object is a value of a query only through json()');
  return text;
}

function encodeElement(value: unknown): string {
  if (Array.isArray(value)) return encodeObject(value);
  const text = encode(value);
  return text === null ? 'NULL' : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

export type Parse = (text: string) => unknown;

const parsers: Record<number, Parse> = {
  [OID.bool]: (text) => text === 't',
  [OID.bytea]: parseBytes,
  [OID.int8]: BigInt,
  [OID.int2]: Number,
  [OID.int4]: Number,
  [OID.oid]: Number,
  [OID.float4]: Number,
  [OID.float8]: Number,
  [OID.timestamptz]: parseTime,
  [OID.json]: (text) => JSON.parse(text),
  [OID.jsonb]: (text) => JSON.parse(text),
};

/** The parser of a column type; whatever has none (text, uuid, numeric, date, timestamp without zone) stays text. */
export function parserOf(oid: number): Parse {
  const element = ARRAYS[oid];
  if (element !== undefined) return (text) => parseArray(text, parserOf(element));
  return parsers[oid] ?? ((text) => text);
}

function parseBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
}

/** `2026-11-21 09:30:00.123456+00`, the session being set to UTC and ISO. Date keeps milliseconds. */
function parseTime(text: string): Date {
  const time = new Date(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
  if (Number.isNaN(time.getTime()))
    throw new RangeError(`not a point in time that we store: ${text}`);
  return time;
}

/** `{a,"b \"quoted\"",NULL,{nested}}` (PostgreSQL manual, 8.15.6). */
function parseArray(text: string, parse: Parse): unknown[] {
  let at = 0;
  const list = (): unknown[] => {
    const items: unknown[] = [];
    at++; // the opening brace
    while (text[at] !== '}') {
      if (text[at] === '{') items.push(list());
      else if (text[at] === '"') items.push(parse(quoted()));
      else items.push(bare());
      if (text[at] === ',') at++;
      else if (text[at] !== '}') throw new RangeError('malformed array');
    }
    at++;
    return items;
  };
  const quoted = (): string => {
    let value = '';
    for (at++; text[at] !== '"'; at++) {
      if (text[at] === '\\') at++;
      if (at >= text.length) throw new RangeError('malformed array');
      value += text[at];
    }
    at++;
    return value;
  };
  const bare = (): unknown => {
    const start = at;
    while (at < text.length && text[at] !== ',' && text[at] !== '}') at++;
    const value = text.slice(start, at);
    return value === 'NULL' ? null : parse(value);
  };
  // A lower bound other than 1 is written in front, as in [0:1]={a,b}.
  at = text.startsWith('[') ? text.indexOf('=') + 1 : 0;
  return list();
}
