import { type Engine, startTestGatewarden, type TestGatewarden } from '@gatewarden/server/testing';
import { ScalekitClient } from '@scalekit-sdk/node';

/** A server and the vendor's published SDK, unchanged but for the address it is given. */
export type VendorSite = { readonly gatewarden: TestGatewarden; readonly sdk: ScalekitClient };

/** Starts a server on this engine for the vendor's SDK, which calls it over real HTTP. Closed with the test. */
export async function vendorSite(
  t: { after(work: () => Promise<void>): void },
  engine: Engine,
): Promise<VendorSite> {
  const gatewarden = await startTestGatewarden(t, { engine });
  const { id, secret } = gatewarden.client;
  if (secret === undefined) throw new Error('the environment client has no readable secret');
  return { gatewarden, sdk: new ScalekitClient(gatewarden.url, id, secret) };
}
