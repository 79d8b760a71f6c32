import { eventOf, record } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { isUniqueViolation } from '../storage/db.ts';
import { TemplateFault } from './email-template-html.ts';
import { namesIn, parseTemplate } from './email-template-text.ts';
import {
  countLocked,
  deleteTemplate as deleteRow,
  disableOfUseCase,
  type EmailTemplate,
  enableTemplate as enableRow,
  findTemplate,
  insertTemplate,
  lockTemplate,
  type TemplateScope,
  type TemplateTexts,
  updateTemplate,
} from './email-templates.store.ts';
import { aboutUseCase, isPlaceholder, type UseCase } from './email-use-cases.ts';

/** An environment, and each organization, has so many templates. */
export const MOST_TEMPLATES = 20;

const ID_ATTEMPTS = 5;
const ENABLE_ATTEMPTS = 3;
const PARTS = ['subject', 'html', 'plain'] as const;

/** What is wrong with a part of a template, in words for its author. */
export type PartFault = {
  readonly kind: 'invalid';
  readonly part: (typeof PARTS)[number];
  readonly detail: string;
};

/** The first fault of a template; undefined when it can be used. */
export function faultOfTemplate(useCase: UseCase, texts: TemplateTexts): PartFault | undefined {
  const { needs } = aboutUseCase(useCase);
  for (const part of PARTS) {
    try {
      const form = part === 'html' ? 'html' : 'text';
      const names = namesIn(
        parseTemplate(texts[part], form, (name) => isPlaceholder(useCase, name)),
      );
      if (part !== 'subject' && !needs.some((name) => names.has(name)))
        return { kind: 'invalid', part, detail: `must mention {{${needs.join('}} or {{')}}}` };
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      return { kind: 'invalid', part, detail: error.message };
    }
  }
  return undefined;
}

/** Names that a template mentions. */
export function placeholdersIn({ useCase, ...texts }: EmailTemplate): string[] {
  const names = new Set<string>();
  for (const part of PARTS) {
    try {
      const form = part === 'html' ? 'html' : 'text';
      const found = namesIn(
        parseTemplate(texts[part], form, (name) => isPlaceholder(useCase, name)),
      );
      for (const name of found) names.add(name);
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error; // one of another version of the server: shown, and not used
    }
  }
  return [...names].sort();
}

export type TemplateOutcome =
  | { readonly kind: 'written'; readonly template: EmailTemplate }
  /** There is no such template, or no such organization. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'too-many' }
  | PartFault;

/** Adds a template, which is not used before it is enabled. */
export async function createTemplate(
  ctx: Ctx,
  scope: TemplateScope,
  by: { readonly useCase: UseCase; readonly texts: TemplateTexts },
): Promise<TemplateOutcome> {
  const fault = faultOfTemplate(by.useCase, by.texts);
  if (fault) return fault;
  for (let attempt = 1; ; attempt += 1) {
    const id = newId(ctx, 'tpl');
    try {
      return await ctx.db.transaction(async (tx) => {
        const count = await countLocked(tx, scope);
        if (count === undefined) return { kind: 'unknown' };
        if (count >= MOST_TEMPLATES) return { kind: 'too-many' };
        const template = await insertTemplate(tx, { ...scope, ...by, id, now: ctx.now() });
        await record(tx, eventAbout(ctx, scope, 'created', template));
        return { kind: 'written', template };
      });
    } catch (error) {
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

/** Changes the parts that are given. The whole has to be usable afterwards. */
export async function changeTemplate(
  ctx: Ctx,
  scope: TemplateScope,
  id: string,
  changes: Partial<TemplateTexts>,
): Promise<TemplateOutcome> {
  return await ctx.db.transaction(async (tx) => {
    const current = await lockTemplate(tx, scope, id);
    if (!current) return { kind: 'unknown' };
    const texts = { ...current, ...changes };
    const fault = faultOfTemplate(current.useCase, texts);
    if (fault) return fault;
    if (PARTS.every((part) => texts[part] === current[part]))
      return { kind: 'written', template: current };
    const template = await updateTemplate(tx, scope, { id, texts, now: ctx.now() });
    await record(tx, eventAbout(ctx, scope, 'updated', template));
    return { kind: 'written', template };
  });
}

/** Uses a template for its use case from now on, in place of another one. The id of that one, or undefined when there was none. */
export async function enableTemplate(
  ctx: Ctx,
  scope: TemplateScope,
  id: string,
): Promise<
  { readonly kind: 'enabled'; readonly last: string | undefined } | { readonly kind: 'unknown' }
> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ctx.db.transaction(async (tx) => {
        const current = await findTemplate(tx, scope, id);
        if (!current) return { kind: 'unknown' };
        if (current.enabled) return { kind: 'enabled', last: id };
        const { useCase } = current;
        const last = await disableOfUseCase(tx, scope, { useCase, now: ctx.now() });
        await enableRow(tx, scope, { id, now: ctx.now() });
        await record(tx, eventAbout(ctx, scope, 'enabled', current));
        return { kind: 'enabled', last };
      });
    } catch (error) {
      // Somebody else enabled another one meanwhile: it is the one to replace.
      if (!isUniqueViolation(error) || attempt === ENABLE_ATTEMPTS) throw error;
    }
  }
}

/** Goes back to what is sent without a template. False when there is no such template. */
export async function disableTemplate(
  ctx: Ctx,
  scope: TemplateScope,
  id: string,
): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const current = await lockTemplate(tx, scope, id);
    if (!current) return false;
    if (!current.enabled) return true;
    await disableOfUseCase(tx, scope, { useCase: current.useCase, now: ctx.now() });
    await record(tx, eventAbout(ctx, scope, 'disabled', current));
    return true;
  });
}

/** Deletes a template, used or not. False when there is none. */
export async function deleteTemplate(ctx: Ctx, scope: TemplateScope, id: string): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const deleted = await deleteRow(tx, scope, id);
    if (!deleted) return false;
    await record(tx, eventAbout(ctx, scope, 'deleted', deleted));
    return true;
  });
}

function eventAbout(
  ctx: Ctx,
  { organizationId }: TemplateScope,
  verb: 'created' | 'updated' | 'enabled' | 'disabled' | 'deleted',
  { id, useCase }: EmailTemplate,
) {
  const data = { id, use_case: useCase };
  return eventOf(ctx, { type: `email_template.${verb}`, organizationId, data });
}
