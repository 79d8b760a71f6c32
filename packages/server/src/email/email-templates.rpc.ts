import {
  type EmailService,
  TemplateUsecase,
} from '@gatewarden/contract/scalekit/v1/emails/emails_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { changedMembers, checkId, checkText, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import type { Ctx } from '../runtime/context.ts';
import {
  type EmailTemplate,
  findTemplate,
  listTemplates,
  type TemplateScope,
  type TemplateTexts,
} from './email-templates.store.ts';
import {
  changeTemplate,
  createTemplate,
  deleteTemplate,
  disableTemplate,
  enableTemplate,
  MOST_TEMPLATES,
  placeholdersIn,
  type TemplateOutcome,
} from './email-templates.ts';
import {
  aboutUseCase,
  placeholdersOf,
  startingTemplate,
  USE_CASES,
  type UseCase,
} from './email-use-cases.ts';

const FIELDS = { subject: 'subject', html: 'html_content', plain: 'plain_content' } as const;
const CATEGORIES = ['Mail', 'Person', 'Application', 'Organization'];

/** How mails look: templates of the environment and of single organizations. */
export const emailTemplatesRpc: Slice<typeof EmailService> = {
  async getTemplatePlaceholders(_ctx, { useCase }) {
    return { placeholders: placeholdersOf(useCaseOf('use_case', useCase)).map(({ name }) => name) };
  },

  async getTemplateUseCases() {
    return { useCases: USE_CASES.map(useCaseMessage) };
  },

  async createEmailTemplate(ctx, { organizationId, template }) {
    const scope = scopeOf(ctx, organizationId);
    if (!template) throw invalidField('template', 'is missing', 'required');
    const useCase = useCaseOf('template.use_case', template.useCase);
    const { subject, htmlContent: html, plainContent: plain } = template;
    const texts = checked({ subject, html, plain });
    const outcome = await createTemplate(ctx, scope, { useCase, texts });
    if (outcome.kind === 'unknown') throw noSuchOrganization();
    return { template: written(outcome) };
  },

  async updateEmailTemplate(ctx, { organizationId, templateId, template, updateMask }) {
    const scope = scopeOf(ctx, organizationId);
    checkTemplateId(templateId);
    if (!template) throw invalidField('template', 'is missing', 'required');
    const { subject, htmlContent: html, plainContent: plain } = template;
    const sent = { subject, htmlContent: html, plainContent: plain };
    const names = changedMembers(updateMask, sent, {
      subject: 'subject',
      html_content: 'htmlContent',
      plain_content: 'plainContent',
    });
    const given: Partial<Record<keyof TemplateTexts, string | undefined>> = {
      ...(names.has('subject') && { subject }),
      ...(names.has('html_content') && { html }),
      ...(names.has('plain_content') && { plain }),
    };
    const changes: Partial<Record<keyof TemplateTexts, string>> = {};
    for (const part of ['subject', 'html', 'plain'] as const) {
      if (!Object.hasOwn(given, part)) continue;
      const value = given[part];
      if (!value) throw invalidField(`template.${FIELDS[part]}`, 'is missing', 'required');
      changes[part] = value;
    }
    return {
      template: written(await changeTemplate(ctx, scope, templateId, checked(changes))),
    };
  },

  async enableEmailTemplate(ctx, { organizationId, templateId }) {
    const scope = scopeOf(ctx, organizationId);
    checkTemplateId(templateId);
    const outcome = await enableTemplate(ctx, scope, templateId);
    if (outcome.kind === 'unknown') throw noSuchTemplate();
    return {
      activeTemplateId: templateId,
      ...(outcome.last !== undefined && { lastActiveTemplateId: outcome.last }),
    };
  },

  async disableEmailTemplate(ctx, { organizationId, templateId }) {
    const scope = scopeOf(ctx, organizationId);
    checkTemplateId(templateId);
    if (!(await disableTemplate(ctx, scope, templateId))) throw noSuchTemplate();
    return {};
  },

  async getEmailTemplate(ctx, { organizationId, templateId }) {
    const scope = scopeOf(ctx, organizationId);
    checkTemplateId(templateId);
    const found = await findTemplate(ctx.db, scope, templateId);
    if (!found) throw noSuchTemplate();
    return { template: templateMessage(found) };
  },

  async listEmailTemplates(ctx, { organizationId }) {
    const found = await listTemplates(ctx.db, scopeOf(ctx, organizationId));
    if (!found) throw noSuchOrganization();
    return { templates: found.map(templateMessage) };
  },

  async deleteEmailTemplate(ctx, { organizationId, templateId }) {
    const scope = scopeOf(ctx, organizationId);
    checkTemplateId(templateId);
    if (!(await deleteTemplate(ctx, scope, templateId))) throw noSuchTemplate();
    return {};
  },
};

/** Without an organization, or with `-`, the templates of the environment. */
function scopeOf({ environmentId }: Ctx, organizationId: string): TemplateScope {
  if (organizationId === '' || organizationId === '-')
    return { environmentId, organizationId: undefined };
  checkId('organization_id', organizationId, 'org');
  return { environmentId, organizationId };
}

function checkTemplateId(id: string): void {
  checkId('template_id', id, 'tpl');
}

function checked<T extends Partial<Record<keyof TemplateTexts, string>>>(texts: T): T {
  for (const part of ['subject', 'html', 'plain'] as const)
    checkText('template.', { [FIELDS[part]]: texts[part] ?? '' });
  if (/[\r\n]/.test(texts.subject ?? ''))
    throw invalidField('template.subject', 'must be one line', 'text');
  return texts;
}

function written(outcome: TemplateOutcome) {
  switch (outcome.kind) {
    case 'written':
      return templateMessage(outcome.template);
    case 'unknown':
      throw noSuchTemplate();
    case 'too-many':
      throw new ApiError(
        'failed_precondition',
        'TOO_MANY_TEMPLATES',
        `there may be at most ${MOST_TEMPLATES} templates`,
      );
    case 'invalid':
      throw invalidField(`template.${FIELDS[outcome.part]}`, outcome.detail, 'template');
  }
}

function templateMessage(template: EmailTemplate) {
  return {
    id: template.id,
    useCase: TemplateUsecase[template.useCase],
    enabled: template.enabled,
    subject: template.subject,
    htmlContent: template.html,
    plainContent: template.plain,
    updatedAt: timestampOf(template.updatedAt),
    placeholders: placeholdersIn(template),
  };
}

function useCaseMessage(useCase: UseCase) {
  const { title, description, display } = aboutUseCase(useCase);
  const placeholders = placeholdersOf(useCase);
  const { subject, html, plain } = startingTemplate(useCase);
  return {
    useCase: TemplateUsecase[useCase],
    title,
    description,
    display,
    placeholders: placeholders.map((placeholder) => ({
      ...placeholder,
      display: true,
      categoryPriority: CATEGORIES.indexOf(placeholder.category) + 1,
    })),
    defaultTemplate: {
      useCase: TemplateUsecase[useCase],
      subject,
      htmlContent: html,
      plainContent: plain,
      placeholders: placeholders.map(({ name }) => name),
    },
  };
}

function useCaseOf(field: string, value: TemplateUsecase): UseCase {
  const found = USE_CASES.find((name) => TemplateUsecase[name] === value);
  if (!found) throw invalidField(field, 'is no use case', 'enum');
  return found;
}

function noSuchTemplate(): ApiError {
  return new ApiError('not_found', 'TEMPLATE_NOT_FOUND', 'there is no such template');
}

function noSuchOrganization(): ApiError {
  return new ApiError('not_found', 'ORGANIZATION_NOT_FOUND', 'there is no such organization');
}
