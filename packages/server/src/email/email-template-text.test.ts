import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TemplateFault } from './email-template-html.ts';
import {
  namesIn,
  parseTemplate,
  renderTemplate,
  type TemplateForm,
} from './email-template-text.ts';
import { faultOfTemplate } from './email-templates.ts';
import { startingTemplate, USE_CASES } from './email-use-cases.ts';

const KNOWN = ['link', 'otp', 'user_name', 'app_logo_url', 'custom.plan'];

function rendered(
  source: string,
  values: Readonly<Record<string, string>> = {},
  form: TemplateForm = 'html',
): string {
  return renderTemplate(
    parseTemplate(source, form, (name) => KNOWN.includes(name)),
    form,
    values,
  );
}

test('values take the place of their names, and conditions choose between parts', () => {
  const source = '{{if user_name}}Hi {{ user_name }}{{else}}Hi{{end}}, {{otp}}{{if otp}}!{{end}}';
  assert.equal(rendered(source, { user_name: 'Ada', otp: '123456' }), 'Hi Ada, 123456!');
  assert.equal(rendered(source), 'Hi, ');
  assert.equal(rendered('{{custom.plan}}', { 'custom.plan': 'pro' }), 'pro');
  assert.equal(
    rendered('{{if otp}}{{if link}}both{{end}}{{end}}', { otp: '1', link: 'x' }),
    'both',
  );
  assert.equal(rendered('a { b } c', {}, 'text'), 'a { b } c');
  const names = namesIn(parseTemplate(source, 'html', () => true));
  assert.deepEqual([...names].sort(), ['otp', 'user_name']);
});

test('a name with markup in it stays a name in HTML, and a tag in a value is never read again (FSA-97)', () => {
  const evil = `<img src=x onerror="alert('1')">&{{link}}`;
  assert.equal(
    rendered('<p title="for {{user_name}}">{{user_name}}</p>', { user_name: evil, link: 'secret' }),
    '<p title="for &lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;{{link}}">' +
      '&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;{{link}}</p>',
  );
  assert.equal(rendered('{{user_name}}', { user_name: evil }, 'text'), evil);
  assert.equal(
    rendered(`<a href="{{link}}">`, { link: 'https://a.example/?a=1&b="' }),
    '<a href="https://a.example/?a=1&amp;b=&quot;">',
  );
});

test('a value where escaping is not enough is refused, whatever the spelling of the HTML around it', () => {
  const refused = [
    '<a href="{{user_name}}">',
    '<a href=" {{user_name}}">',
    "<a href='{{user_name}}'>",
    '<a href={{link}}>',
    '<a {{user_name}}>',
    '<{{user_name}}>',
    '<style>a { color: {{user_name}} }</style>',
    '<STYLE >{{user_name}}</STYLE>',
    '<title>{{user_name}}</title>',
    '<p style="color: {{user_name}}">',
    '<img srcset="{{link}}">',
    '<p onclick="x({{user_name}})">',
    '<p ONCLICK = "1">',
    '<p x="y"onclick="1">',
    '<script>{{user_name}}</script>',
    '<script src="{{link}}"></script>',
    '<ScRiPt/src="x">',
    '<iframe src="{{link}}">',
    '<base href="{{link}}">',
    '<meta http-equiv="refresh {{link}}">',
    '<!-- {{user_name}} -->',
    '<a{{if otp}} href="x"{{end}}>',
    '{{if otp}}<a href="{{else}}<b>{{end}}',
    '<a href="java{{user_name}}">',
    '<a href="{{if otp}}x{{else}}y{{end}}:{{user_name}}">',
    '<a href="javascript:{{user_name}}">',
    '<a href=" JavaScript:run()">',
    '<a href="java\nscript:{{user_name}}">',
    '<a HREF="data:text/html,{{user_name}}">',
    '<img src="vbscript:{{user_name}}">',
    '<meta http-equiv="refresh" content="0;url={{user_name}}">',
    '{{if otp}}<a href="{{end}}{{user_name}}">',
  ];
  for (const source of refused) assert.throws(() => rendered(source), TemplateFault, source);
  const accepted = [
    '<style>a { color: red }</style><p>{{user_name}}</p>',
    '<style>a > b {}</style>{{otp}}',
    '<!-- a comment --> {{user_name}}',
    '<!doctype html><html><body class="x">{{user_name}}</body></html>',
    '<a href="mailto:{{user_name}}">',
    '<a href="{{link}}" title="To {{user_name}}">{{user_name}}</a>',
    '<a href = "{{link}}">',
    '<a href="https://a.example/?name={{user_name}}">',
    '<a href="/welcome?at=10:30&name={{user_name}}">',
    '<img src="data:image/png;base64,AAAA">',
    '<p title="Note: {{user_name}}" style="color: red">',
    '<img src="{{app_logo_url}}" alt="Logo of {{user_name}}">',
    '<p>1 < 2 {{user_name}}</p>',
    '<a href="{{if otp}}https://a.example/{{else}}https://b.example/{{end}}">',
  ];
  for (const source of accepted) assert.doesNotThrow(() => rendered(source), source);
});

test('what is not of the language is refused: names nobody knows, expressions, loose ends, depth without end', () => {
  const refused = [
    '{{unheard_of}}',
    '{{constructor}}',
    '{{__proto__}}',
    '{{otp.length}}',
    '{{otp + 1}}',
    '{{ }}',
    '{{}}',
    '{{otp',
    'otp}}',
    '{{if}}x{{end}}',
    '{{if unheard_of}}x{{end}}',
    '{{if otp}}x',
    '{{if otp}}x{{else}}y',
    '{{if otp}}x{{else}}y{{else}}z{{end}}',
    '{{end}}',
    '{{else}}',
    '{{end otp}}',
    '{{{otp}}}',
    '{{range otp}}{{end}}',
    `${'{{if otp}}'.repeat(12)}${'{{end}}'.repeat(12)}`,
    '{{otp}}'.repeat(2001),
  ];
  for (const source of refused)
    for (const form of ['text', 'html'] as const)
      assert.throws(() => rendered(source, {}, form), TemplateFault, source.slice(0, 60));
});

test('a large template is read in time that grows with its size only', () => {
  const source = '<p class="a b">text < text</p>'.repeat(30_000);
  const began = performance.now();
  rendered(source);
  const took = performance.now() - began;
  assert.ok(took < 5000, `${took} ms for ${source.length} characters`);
});

test('the templates to begin with can be used as they are', () => {
  for (const useCase of USE_CASES)
    assert.equal(faultOfTemplate(useCase, startingTemplate(useCase)), undefined, useCase);
});
