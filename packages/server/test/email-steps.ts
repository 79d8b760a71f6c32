import type { JsonObject } from '@bufbuild/protobuf';
import { EmailService } from '@gatewarden/contract/scalekit/v1/emails/emails_pb';
import type { Step } from './management-api.ts';

const { method: e } = EmailService;

/** Calls about templates: of the environment, or of one organization. */
export const templateSteps = (organization_id = '') => {
  const root = `/organizations/${organization_id || '-'}/email/templates`;
  return {
    create: (template: JsonObject): Step => ({
      method: e.createEmailTemplate,
      input: { organization_id, template },
      rest: ['POST', root, template],
    }),
    /** The mask names the members of the body, as the REST API does by itself. */
    update: (template_id: string, template: JsonObject): Step => ({
      method: e.updateEmailTemplate,
      input: { organization_id, template_id, template },
      rest: ['PATCH', `${root}/${template_id}`, template],
    }),
    get: (template_id: string): Step => ({
      method: e.getEmailTemplate,
      input: { organization_id, template_id },
      rest: ['GET', `${root}/${template_id}`],
    }),
    list: (): Step => ({
      method: e.listEmailTemplates,
      input: { organization_id },
      rest: ['GET', root],
    }),
    enable: (template_id: string): Step => ({
      method: e.enableEmailTemplate,
      input: { organization_id, template_id },
      rest: ['PATCH', `${root}/${template_id}:enable`],
    }),
    disable: (template_id: string): Step => ({
      method: e.disableEmailTemplate,
      input: { organization_id, template_id },
      rest: ['PATCH', `${root}/${template_id}:disable`],
    }),
    delete: (template_id: string): Step => ({
      method: e.deleteEmailTemplate,
      input: { organization_id, template_id },
      rest: ['DELETE', `${root}/${template_id}`],
    }),
  };
};

/** Calls about what templates are for. */
export const useCaseSteps = {
  list: (): Step => ({
    method: e.getTemplateUseCases,
    input: {},
    rest: ['GET', '/email/templates/usecases'],
  }),
  placeholders: (use_case: string): Step => ({
    method: e.getTemplatePlaceholders,
    input: { use_case },
    rest: ['GET', `/email/templates/placeholders?use_case=${use_case}`],
  }),
};

/** Calls about mail servers. */
export const serverSteps = {
  create: (input: JsonObject): Step => ({
    method: e.createEmailServer,
    input,
    rest: ['POST', '/email/servers', input],
  }),
  update: (server_id: string, settings: JsonObject): Step => ({
    method: e.updateEmailServerSettings,
    input: { server_id, settings },
    rest: ['PUT', `/email/servers/${server_id}`, settings],
  }),
  get: (server_id: string): Step => ({
    method: e.getEmailServer,
    input: { server_id },
    rest: ['GET', `/email/servers/${server_id}`],
  }),
  list: (): Step => ({ method: e.listEmailServers, input: {}, rest: ['GET', '/email/servers'] }),
  enable: (server_id: string): Step => ({
    method: e.enableEmailServer,
    input: { server_id },
    rest: ['PATCH', `/email/servers/${server_id}:enable`],
  }),
  disable: (server_id: string): Step => ({
    method: e.disableEmailServer,
    input: { server_id },
    rest: ['PATCH', `/email/servers/${server_id}:disable`],
  }),
  delete: (server_id: string): Step => ({
    method: e.deleteEmailServer,
    input: { server_id },
    rest: ['DELETE', `/email/servers/${server_id}`],
  }),
  configuration: (): Step => ({
    method: e.getEmailConfiguration,
    input: {},
    rest: ['GET', '/emails/configuration'],
  }),
};
