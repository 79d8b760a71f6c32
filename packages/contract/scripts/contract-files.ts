// Finds what is compared: the generated descriptors, the committed baseline, and the descriptors of the vendor's SDK.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { DescFile } from '@bufbuild/protobuf';
import { fromBinary } from '@bufbuild/protobuf';
import { type FileDescriptorSet, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { Exception } from './compare.ts';

const contract = resolve(fileURLToPath(import.meta.url), '../..');

/** Of conformance/, which has its own lock; not a dependency of this package. */
const VENDOR_SDK = '@scalekit-sdk/node';

function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending))
    .sort();
}

/** The descriptors of every generated file of a package below `gen/`, such as `scalekit`. */
export async function generatedFiles(part: string): Promise<DescFile[]> {
  const folder = join(contract, 'gen', part);
  const found: DescFile[] = [];
  for (const path of filesBelow(folder, '_pb.ts')) {
    const module: Record<string, unknown> = await import(pathToFileURL(join(folder, path)).href);
    found.push(...Object.values(module).filter(isFile));
  }
  return found;
}

function isFile(value: unknown): value is DescFile {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'file';
}

/** The committed baseline: for each .proto file what it promises. */
export function readBaseline(): Map<string, string> {
  const folder = join(contract, 'baseline');
  return new Map(
    filesBelow(folder, '.txt').map((path) => [
      path.replaceAll('\\', '/').replace(/\.txt$/, ''),
      readFileSync(join(folder, path), 'utf8'),
    ]),
  );
}

/** Where the contract says something else than the baseline on purpose, with the reason. */
export function readExceptions(): Exception[] {
  return JSON.parse(readFileSync(join(contract, 'baseline/exceptions.json'), 'utf8'));
}

/** Path of the image that `buf breaking` compares with. */
export const baselineImage: string = join(contract, 'baseline/image.binpb');

/** The descriptors inside the vendor's Node SDK; undefined when it is not installed. */
export function vendorDescriptors(): FileDescriptorSet | undefined {
  const require = createRequire(resolve(contract, '../../conformance/package.json'));
  let entry: string;
  try {
    entry = require.resolve(VENDOR_SDK);
  } catch {
    return undefined;
  }
  const folder = join(dirname(entry), 'pkg/grpc');
  const protos = new Map<string, DescFile['proto']>();
  const visit = (file: DescFile): void => {
    if (protos.has(file.proto.name)) return;
    for (const dependency of file.dependencies) visit(dependency);
    protos.set(file.proto.name, file.proto);
  };
  for (const path of filesBelow(folder, '_pb.js')) {
    const module: Record<string, unknown> = require(join(folder, path));
    for (const file of Object.values(module).filter(isFile)) visit(file);
  }
  // Written and read again, because the SDK has its own copy of the library.
  const own = createRequire(entry);
  const { create, toBinary } = own('@bufbuild/protobuf');
  const { FileDescriptorSetSchema: schema } = own('@bufbuild/protobuf/wkt');
  return fromBinary(
    FileDescriptorSetSchema,
    toBinary(schema, create(schema, { file: [...protos.values()] })),
  );
}
