import { parseChallenges, tokenChallenge } from '../challenge-header.ts';
import type { Examination } from '../examination.ts';
import { type Answer, evidenceOf, header, objectOf } from '../http.ts';
import { initializeCall, isCarriedOut, rpcMessage } from '../mcp-request.ts';
import { shown } from '../printable.ts';
import { isCaller, type McpCaller, openMcp } from './mcp-caller.ts';
import type { Tokens } from './oauth-client.ts';

const SHOWN = ['www-authenticate'];
/** How a refusal for want of a scope speaks where it has no challenge. */
const SCOPE_WORDS = /\bscopes?\b|insufficient|permission|forbidden/i;

/** Whether the token works, and whether what is not quite the token does not. False: it did not work. */
export async function checkToken(
  examination: Examination,
  url: string,
  tokens: Tokens,
): Promise<McpCaller | undefined> {
  const opened = await openMcp(examination, url, tokens.access);
  if (!isCaller(opened)) {
    examination.find('login-failed', {
      message: 'The MCP server refuses the token that its authorization server issued for it.',
      evidence: opened,
      headers: SHOWN,
    });
    return undefined;
  }
  const tampered = await examination.send(
    initializeCall(url, { authorization: `Bearer ${tamperedWith(tokens.access)}` }),
  );
  if (tampered.kind === 'answer' && isCarriedOut(tampered))
    examination.find('forged-token-accepted', {
      message: 'The token with a changed signature is accepted.',
      evidence: tampered,
    });
  const queried = new URL(url);
  queried.searchParams.set('access_token', tokens.access);
  const byQuery = await examination.send(initializeCall(queried.href));
  if (byQuery.kind === 'answer' && isCarriedOut(byQuery))
    examination.find('query-token-accepted', {
      message: 'A request with access_token in the address and without header is carried out.',
      // Without the address that was asked: it holds the token.
      evidence: `POST ${url}?access_token=… answered ${byQuery.status}`,
      url,
    });
  return opened;
}

/** A resource or a scope that gets lost at the refresh shows only now: an hour later for everybody else. */
export async function checkRefreshed(
  examination: Examination,
  url: string,
  tokens: Tokens,
): Promise<void> {
  const opened = await openMcp(examination, url, tokens.access);
  if (isCaller(opened)) return;
  examination.find('login-failed', {
    message:
      'The MCP server accepted the first token and refuses the one that came from a refresh.',
    evidence: opened,
    headers: SHOWN,
  });
}

/** One character in the middle of the last part changed: of a JWT that is the signature. */
function tamperedWith(token: string): string {
  const last = token.lastIndexOf('.') + 1;
  const at = last + Math.floor((token.length - last) / 2);
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
}

type Tool = { readonly name: string; readonly changes: boolean; readonly certain: boolean };

/** Calls a tool whose scope was not asked for, with arguments that no tool can use. */
export async function checkScopes(
  examination: Examination,
  caller: McpCaller,
  {
    named,
    granted,
    offered,
  }: {
    readonly named: string | undefined;
    readonly granted: readonly string[];
    readonly offered: readonly string[];
  },
): Promise<void> {
  const listed = await caller.call('tools/list', {});
  if (listed.kind === 'failed' || !isCarriedOut(listed)) {
    examination.find('login-failed', {
      message: 'tools/list with the token is not answered with a list.',
      evidence: listed,
      headers: SHOWN,
    });
    return;
  }
  const withheld = offered.some((scope) => !granted.includes(scope));
  const tool =
    named === undefined ? changingTool(listed) : { name: named, changes: true, certain: true };
  if (!tool || (!withheld && !tool.certain)) {
    examination.note(
      'login',
      'No tool was found that needs more than was granted; name one with --tool and ask for less with --scope.',
    );
    return;
  }
  const answer = await caller.call('tools/call', {
    name: tool.name,
    arguments: 'gatewarden-doctor',
  });
  if (answer.kind === 'failed') return;
  if (answer.status === 401 || answer.status === 403)
    checkScopeChallenge(examination, answer, tool);
  else if (isCarriedOut(answer))
    examination.find('scope-ignored', {
      message: `The tool ${shown(tool.name)} is carried out with a token for ${shown(granted)} only.`,
      evidence: answer,
      // Which scope a tool needs is a guess unless somebody named it.
      ...(tool.certain ? {} : { severity: 'warning' as const }),
    });
  else if (SCOPE_WORDS.test(answer.text))
    examination.find('insufficient-scope-without-challenge', {
      message: `The tool ${shown(tool.name)} is refused in the body of an answer with ${answer.status}; clients look for a 403.`,
      evidence: `${evidenceOf(answer)}: ${answer.text}`,
      url: answer.url,
    });
  else
    examination.note(
      'login',
      `The call of ${shown(tool.name)} was refused by MCP itself; whether scopes are checked could not be seen.`,
    );
}

/** A tool that says of itself that it changes things: the least likely to be open to everybody. */
function changingTool(listed: Answer): Tool | undefined {
  const tools = objectOf(rpcMessage(listed)?.['result'])?.['tools'];
  if (!Array.isArray(tools)) return undefined;
  const changing = tools.map(objectOf).filter((tool) => {
    const annotations = objectOf(tool?.['annotations']);
    return annotations?.['destructiveHint'] === true || annotations?.['readOnlyHint'] === false;
  });
  const name = changing[0]?.['name'];
  return typeof name === 'string' ? { name, changes: true, certain: false } : undefined;
}

function checkScopeChallenge(examination: Examination, answer: Answer, tool: Tool): void {
  const { challenges } = parseChallenges(header(answer, 'www-authenticate') ?? '');
  const challenge = tokenChallenge(challenges);
  const lacks = [
    ...(answer.status === 403 ? [] : ['the status 403']),
    ...(challenge?.parameters.get('error') === 'insufficient_scope'
      ? []
      : ['error="insufficient_scope"']),
    ...(challenge?.parameters.get('scope') ? [] : ['the needed scope']),
  ];
  if (lacks.length > 0)
    examination.find('insufficient-scope-without-challenge', {
      message: `The refusal of the tool ${shown(tool.name)} lacks ${lacks.join(', ')}.`,
      evidence: answer,
      headers: SHOWN,
    });
}
