import type { Problem } from '../pages/error-problem.ts';

/** What the audit event of an error page should know beyond the problem itself. */
export type PageErrorFacts = {
  readonly flowId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly userId?: string | undefined;
  readonly mcpServerId?: string | undefined;
  /** For operators; never on the page. */
  readonly detail?: string | undefined;
};

/** The one error of the hosted pages: thrown anywhere in a page's handling, shown by `sendErrorPage`. */
export class PageError extends Error {
  readonly problem: Problem;
  readonly facts: PageErrorFacts;

  constructor(problem: Problem, facts: PageErrorFacts = {}) {
    super(problem.kind);
    this.name = 'PageError';
    this.problem = problem;
    this.facts = facts;
  }
}
