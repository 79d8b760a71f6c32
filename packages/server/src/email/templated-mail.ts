import type { Ctx } from '../runtime/context.ts';
import { TemplateFault } from './email-template-html.ts';
import { parseTemplate, renderTemplate, type TemplateForm } from './email-template-text.ts';
import { type EmailTemplate, findEnabledTemplate } from './email-templates.store.ts';
import { isPlaceholder, type UseCase } from './email-use-cases.ts';

/** The texts of a mail. */
export type MailTexts = { readonly subject: string; readonly text: string; readonly html: string };

/** What a mail is about, for whoever wrote the template. Absent is empty. */
export type MailValues = {
  readonly otp?: string | undefined;
  readonly link?: string | undefined;
  /** How long code and link work, in minutes. */
  readonly minutes: number;
  readonly user_email: string;
  readonly user_name?: string | undefined;
  readonly app_name: string;
  readonly app_logo_url?: string | undefined;
  readonly app_support_email?: string | undefined;
  readonly organization_name?: string | undefined;
  /** What an application sent along, by its own names. */
  readonly custom?: Readonly<Record<string, string>> | undefined;
};

const LONGEST_VALUE = 2048;
const LONGEST_SUBJECT = 255;
const LONGEST_MAIL = 2_097_152;

/**
 * The mail as the enabled template of the first of these use cases has it, of the organization or else of the environment; as
 * given when there is none, or when it cannot be used: mails go out whatever a template is like (FSA-97).
 */
export async function templatedMail(
  ctx: Ctx,
  by: {
    readonly useCases: readonly UseCase[];
    readonly organizationId?: string | undefined;
    readonly values: MailValues;
  },
  builtIn: MailTexts,
): Promise<MailTexts> {
  const { environmentId } = ctx;
  const { organizationId } = by;
  const scope = { environmentId, organizationId };
  const template = await findEnabledTemplate(ctx.db, scope, by.useCases);
  if (!template) return builtIn;
  try {
    return rendered(template, valuesOf(by.values));
  } catch (error) {
    if (!(error instanceof TemplateFault)) throw error;
    ctx.metrics.count('gatewarden_mails_total', { outcome: 'template_failed' });
    ctx.log.warn(
      { environmentId, templateId: template.id, fault: error.message },
      'a mail template cannot be used; the built-in text goes out',
    );
    return builtIn;
  }
}

function rendered(template: EmailTemplate, values: Readonly<Record<string, string>>): MailTexts {
  const part = (source: string, form: TemplateForm): string => {
    const nodes = parseTemplate(source, form, (name) => isPlaceholder(template.useCase, name));
    const text = renderTemplate(nodes, form, values);
    if (text.length > LONGEST_MAIL) throw new TemplateFault('the mail would be too long');
    return text;
  };
  const subject = oneLine(part(template.subject, 'text'), LONGEST_SUBJECT);
  if (subject === '') throw new TemplateFault('the subject is empty');
  return { subject, text: part(template.plain, 'text'), html: part(template.html, 'html') };
}

function valuesOf(values: MailValues): Record<string, string> {
  const { minutes, custom, ...others } = values;
  const all: Record<string, string> = {
    expiry_time_relative: relativeTime(minutes),
    app_organization_meta_name: 'organization',
  };
  for (const [name, value] of Object.entries(others))
    all[name] = oneLine(value ?? '', LONGEST_VALUE);
  for (const [name, value] of Object.entries(custom ?? {}))
    all[`custom.${name}`] = oneLine(value, LONGEST_VALUE);
  return all;
}

/** Values come from anybody: none of them makes a line of its own, turns the direction of the text, or hides in it. */
function oneLine(text: string, longest: number): string {
  return text
    .replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, longest)
    .toWellFormed();
}

function relativeTime(minutes: number): string {
  const [count, unit] =
    minutes >= 2880
      ? [Math.round(minutes / 1440), 'day']
      : minutes >= 120
        ? [Math.round(minutes / 60), 'hour']
        : [Math.max(1, Math.round(minutes)), 'minute'];
  return new Intl.NumberFormat('en', { style: 'unit', unit, unitDisplay: 'long' }).format(count);
}
