import { type Html, html } from './html.ts';
import { type IconName, icon } from './icons.ts';
import { type Locale, type MessageKey, t } from './messages.ts';
import { disclosure, rows } from './parts.ts';

/** A permission on the consent page. */
export type ConsentScope = {
  /** The scope's name on the wire. */
  name: string;
  class: 'see' | 'change' | 'delete-or-spend' | 'profile' | 'offline';
  /** The operator's words; without a title the raw name is shown. */
  title?: string | undefined;
  description?: string | undefined;
  /** Part of an earlier grant ("Already allowed"). */
  granted?: boolean | undefined;
  /** Gets a check box. A new `delete-or-spend` always has one (AS-44). */
  optional?: boolean | undefined;
  /** Tools the scope unlocks. */
  tools?: readonly string[] | undefined;
};

export type ScopeChoice = {
  scopes: readonly ConsentScope[];
  /** The boxes as posted, when the page is shown again; absent on the first showing. */
  selected?: readonly string[] | undefined;
  /** Days until lasting access ends at most. */
  offlineDays?: number | undefined;
};

type Group = { class: ConsentScope['class']; title: MessageKey; icon: IconName };

const groups: readonly Group[] = [
  { class: 'see', title: 'consent.group.see', icon: 'eye' },
  { class: 'change', title: 'consent.group.change', icon: 'pencil' },
  { class: 'delete-or-spend', title: 'consent.group.delete', icon: 'spend' },
  { class: 'profile', title: 'consent.group.profile', icon: 'person' },
  { class: 'offline', title: 'consent.group.offline', icon: 'clock' },
];

/**
 * True when the scope is granted only if its box is ticked; the server decides by the same rule. What an
 * earlier grant has is part of the union a larger request yields (AS-46) and has no box.
 */
export function hasCheckbox(scope: ConsentScope): boolean {
  if (scope.granted === true) return false;
  return scope.class === 'delete-or-spend' || scope.optional === true;
}

/** Permissions in groups: new ones first, what was allowed before behind them (hosted-pages 3.6, item 5). */
export function scopeList(locale: Locale, choice: ScopeChoice): Html {
  const fresh = choice.scopes.filter((scope) => scope.granted !== true);
  const granted = choice.scopes.filter((scope) => scope.granted === true);
  const marksNew = granted.length > 0;
  return html`<section class="scopes" aria-labelledby="may">
<h2 id="may">${t(locale, 'consent.may')}</h2>
${choice.scopes.length === 0 && html`<p class="help">${t(locale, 'consent.nothing')}</p>`}
${groups.map((group) => groupBlock(locale, group, ofGroup(fresh, group), choice, marksNew))}
${
  granted.length > 0 &&
  html`<div class="already"><h3>${t(locale, 'consent.already')}</h3><ul>${groups.map(
    (group) => html`${items(locale, group, ofGroup(granted, group), choice, false)}`,
  )}</ul></div>`
}
${exactNames(locale, choice)}
</section>`;
}

function ofGroup(scopes: readonly ConsentScope[], group: Group): readonly ConsentScope[] {
  return scopes.filter((scope) => scope.class === group.class);
}

function groupBlock(
  locale: Locale,
  group: Group,
  scopes: readonly ConsentScope[],
  choice: ScopeChoice,
  marksNew: boolean,
): Html {
  if (scopes.length === 0) return html``;
  return html`<div class="group group-${group.class}"><h3>${icon(group.icon)}${t(locale, group.title)}</h3><ul>${items(locale, group, scopes, choice, marksNew)}</ul></div>`;
}

function items(
  locale: Locale,
  group: Group,
  scopes: readonly ConsentScope[],
  choice: ScopeChoice,
  marksNew: boolean,
): Html[] {
  if (group.class === 'profile' && !scopes.some(hasCheckbox)) {
    return scopes.length === 0
      ? []
      : [html`<li>${profileText(locale, scopes)}${marksNew && newTag(locale)}</li>`];
  }
  return scopes.map((scope) => item(locale, scope, choice, marksNew));
}

/** `openid profile email` in words. */
function profileText(locale: Locale, scopes: readonly ConsentScope[]): string {
  const has = (name: string): boolean => scopes.some((scope) => scope.name === name);
  if (has('profile') && has('email')) return t(locale, 'consent.profileBoth');
  if (has('profile')) return t(locale, 'consent.profileName');
  return t(locale, has('email') ? 'consent.profileEmail' : 'consent.profileId');
}

function item(locale: Locale, scope: ConsentScope, choice: ScopeChoice, marksNew: boolean): Html {
  const { title, description } = words(locale, scope, choice);
  const text = html`<span class="scope-title">${title}${marksNew && newTag(locale)}</span>${
    description !== undefined && html`<span class="help">${description}</span>`
  }`;
  if (!hasCheckbox(scope)) return html`<li>${text}</li>`;
  const checked =
    choice.selected === undefined
      ? scope.class !== 'delete-or-spend'
      : choice.selected.includes(scope.name);
  return html`<li><label class="check"><input type="checkbox" name="scope" value="${scope.name}"${checked && html` checked`}><span>${text}</span></label></li>`;
}

function words(
  locale: Locale,
  scope: ConsentScope,
  choice: ScopeChoice,
): { title: Html; description?: string | undefined } {
  if (scope.class === 'offline') {
    const days = choice.offlineDays;
    const title =
      days === undefined
        ? t(locale, 'consent.offline')
        : t(locale, 'consent.offlineDays', { count: days });
    return { title: html`${title}`, description: scope.description };
  }
  if (scope.class === 'profile') return { title: html`${profileText(locale, [scope])}` };
  if (scope.title === undefined) {
    return {
      title: html`<code>${scope.name}</code>`,
      description: scope.description ?? t(locale, 'consent.noDescription'),
    };
  }
  return { title: html`<bdi>${scope.title}</bdi>`, description: scope.description };
}

function newTag(locale: Locale): Html {
  return html` <span class="tag">${t(locale, 'consent.new')}</span>`;
}

/** The raw names, and the tools each unlocks, folded: people read titles, developers names. */
function exactNames(locale: Locale, choice: ScopeChoice): Html | false {
  if (choice.scopes.length === 0) return false;
  const list = choice.scopes.map((scope) => ({
    label: words(locale, scope, choice).title,
    value: html`<code>${scope.name}</code>${
      scope.tools !== undefined &&
      scope.tools.length > 0 &&
      html`<span class="help">${t(locale, 'consent.includes', { tools: scope.tools.join(', ') })}</span>`
    }`,
  }));
  return disclosure(t(locale, 'consent.exact'), rows(list));
}
