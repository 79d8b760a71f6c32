import { isInsecure } from '../document.ts';
import { shown } from '../printable.ts';
import type { AuthorizationServer } from '../steps/authorization-server.ts';
import type { Gate } from '../steps/challenge.ts';
import type { Resource } from '../steps/resource-metadata.ts';

/**
 * Why nobody may be asked to sign in here: code or token would go to somebody they are not for. A person who signs in
 * at an honest server cannot see that; findings have named each of these faults already.
 */
export function hindranceOf({
  gate,
  resource,
  server,
}: {
  readonly gate: Gate;
  readonly resource: Resource;
  readonly server: AuthorizationServer;
}): string | undefined {
  if (isInsecure(new URL(gate.endpoint.url)))
    return 'the endpoint is not encrypted, and the token could be read on the way';
  if (resource.isForeign)
    return `the resource metadata is about another resource, ${shown(resource.resource)}, and a token for that must not be sent here (RFC 9728 §7.3)`;
  const named = server.metadata['issuer'];
  // A slash more or less is a fault, and no other server.
  if (typeof named === 'string' && withoutSlash(named) === withoutSlash(server.issuer))
    return undefined;
  return `the metadata found for ${server.issuer} names the issuer ${shown(named)}, and a code of that issuer could go to another (RFC 8414 §3.3, mix-up)`;
}

function withoutSlash(text: string): string {
  return text.replace(/\/$/, '');
}
