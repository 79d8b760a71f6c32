import { isInsecure } from '../document.ts';
import type { Examination } from '../examination.ts';
import { shown } from '../printable.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import { addressOf } from './authorization-server-metadata.ts';

/** How clients become known here. Nothing is registered. */
export function examineRegistration(
  examination: Examination,
  { metadata, metadataUrl: url }: AuthorizationServer,
): void {
  examination.begin('registration');
  const endpoint = addressOf(metadata, 'registration_endpoint');
  const documents = metadata['client_id_metadata_document_supported'] === true;
  if (!endpoint && !documents)
    examination.find('registration-missing', {
      message: 'The metadata offers neither client ID metadata documents nor dynamic registration.',
      evidence: `${url}: registration_endpoint is ${shown(metadata['registration_endpoint'])}, client_id_metadata_document_supported is ${shown(metadata['client_id_metadata_document_supported'])}`,
      url,
    });
  if (endpoint && isInsecure(endpoint))
    examination.find('registration-insecure', {
      message: 'registration_endpoint is served without https.',
      evidence: `${url}: registration_endpoint is ${shown(endpoint.href)}`,
      url,
    });
  const routes = [
    ...(documents ? ['client ID metadata documents'] : []),
    ...(endpoint ? ['dynamic registration'] : []),
  ];
  if (routes.length > 0) examination.note('registration', `Offered: ${routes.join(' and ')}.`);
}
