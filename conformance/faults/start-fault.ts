import { selfSignedCertificate } from './certificate.ts';
import type { Fault } from './fault.ts';
import { type Ending, type ReferenceServer, startReferenceServer } from './good-server.ts';

/** Starts the good server with one mistake in it. */
export async function startFault(t: Ending, fault: Fault): Promise<ReferenceServer> {
  const { change, names, selfSigned } = fault;
  const certificate = selfSigned ? await selfSignedCertificate() : undefined;
  return await startReferenceServer(t, { change, names, certificate });
}
