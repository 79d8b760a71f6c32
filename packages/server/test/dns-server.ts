import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';

/** What the server says of a name: its TXT records, each in one or more strings, or a refusal to say anything. */
export type Zone = Map<string, readonly (readonly string[])[] | 'SERVFAIL'>;

export type DnsServer = {
  /** As GATEWARDEN_DNS_SERVERS has it. */
  readonly address: string;
  /** Names in lower case; those that are not there do not exist. */
  readonly zone: Zone;
  /** How often it was asked. */
  readonly asked: () => number;
};

const TXT = 16;
const NXDOMAIN = 3;
const SERVFAIL = 2;

/** A DNS server on loopback that knows TXT records and nothing else (RFC 1035 §4). Closed with the test. */
export async function startDnsServer(t: {
  after(work: () => Promise<void>): void;
}): Promise<DnsServer> {
  const zone: Zone = new Map();
  let asked = 0;
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    asked += 1;
    socket.send(answerTo(zone, query), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => socket.close(() => resolve())));
  const { port } = socket.address() as AddressInfo; // it is bound to a port
  return { address: `127.0.0.1:${port}`, zone, asked: () => asked };
}

function answerTo(zone: Zone, query: Buffer): Buffer {
  const { name, end } = nameIn(query);
  const isTxt = query.readUInt16BE(end) === TXT;
  const found = zone.get(name);
  const code = found === 'SERVFAIL' ? SERVFAIL : found === undefined ? NXDOMAIN : 0;
  const records = isTxt && Array.isArray(found) ? found.map(recordOf) : [];
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, query.subarray(12, end + 4), ...records]);
}

function nameIn(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

/** A resource record whose name points at the question. */
function recordOf(texts: readonly string[]): Buffer {
  const strings = texts.map((text) => {
    const bytes = Buffer.from(text, 'latin1');
    return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  });
  const data = Buffer.concat(strings);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(TXT, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(0, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
