import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { readMailbox } from '../src/email/mails.ts';
import { sql, startTestGatewarden, type TestGatewarden, testPglite } from '../src/testing.ts';
import { templateSteps, useCaseSteps } from './email-steps.ts';
import {
  type Api,
  managementApi,
  member,
  members,
  ok,
  protocols,
  type Step,
} from './management-api.ts';
import { newOrganization } from './organization-steps.ts';
import { passwordlessSteps } from './passwordless-steps.ts';
import { startSignInSite } from './sign-in-site.ts';
import { mailbox, signInByCode } from './test-browser.ts';
import { memberSteps } from './user-steps.ts';

const NOBODY = 'tpl_123456789012345678';

let gatewarden: TestGatewarden;
before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

const code = {
  use_case: 'USER_LOGIN_OTP',
  subject: '{{otp}} for {{app_name}}',
  html_content: '<h1>{{app_name}}</h1><p>{{otp}}</p>',
  plain_content: 'Code {{otp}}, for {{expiry_time_relative}}',
};

async function eventTypes(): Promise<string[]> {
  const rows = await gatewarden.database.rows<{ type: string }>(
    sql`select type from events where type like 'email_template.%' order by id`,
  );
  return rows.map(({ type }) => type);
}

async function created(api: Api, template: JsonObject, organization = ''): Promise<string> {
  const step = templateSteps(organization).create(template);
  return String(member(ok(await api(step)), 'template')['id']);
}

async function lastMail(recipient: string) {
  const [mail] = await readMailbox(gatewarden.context(), { recipient, limit: 1 });
  assert.ok(mail, `a mail to ${recipient}`);
  return mail;
}

for (const protocol of protocols)
  test(`templates of the environment and of an organization are made, changed, used and deleted over ${protocol} (FSA-97)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const organization = String((await newOrganization(api))['id']);
    for (const whose of ['', organization]) {
      const steps = templateSteps(whose);
      const earlier = members(ok(await api(steps.list())), 'templates').length;
      const seen = (await eventTypes()).length;
      const template = member(ok(await api(steps.create(code))), 'template');
      const id = String(template['id']);
      assert.match(id, /^tpl_[0-9]{15,19}$/);
      const { updated_at, ...facts } = template;
      assert.ok(updated_at);
      assert.deepEqual(facts, {
        id,
        ...code,
        placeholders: ['app_name', 'expiry_time_relative', 'otp'],
      });
      assert.deepEqual(member(ok(await api(steps.get(id))), 'template'), template);
      const changed = member(ok(await api(steps.update(id, { subject: 'Your code' }))), 'template');
      assert.deepEqual(
        [changed['subject'], changed['html_content'], changed['plain_content']],
        ['Your code', code.html_content, code.plain_content],
      );
      ok(await api(steps.update(id, { subject: 'Your code' })));
      assert.deepEqual(ok(await api(steps.enable(id))), { active_template_id: id });
      const second = await created(api, code, whose);
      assert.deepEqual(ok(await api(steps.enable(second))), {
        active_template_id: second,
        last_active_template_id: id,
      });
      const listed = members(ok(await api(steps.list())), 'templates');
      assert.equal(listed.length, earlier + 2);
      assert.deepEqual(
        listed.slice(0, 2).map((entry) => [entry['id'], entry['enabled'] ?? false]),
        [
          [second, true],
          [id, false],
        ],
      );
      ok(await api(steps.disable(second)));
      ok(await api(steps.disable(second)));
      assert.deepEqual(ok(await api(steps.delete(second))), {});
      ok(await api(steps.delete(id)));
      assert.deepEqual((await eventTypes()).slice(seen), [
        'email_template.created',
        'email_template.updated',
        'email_template.enabled',
        'email_template.created',
        'email_template.enabled',
        'email_template.disabled',
        'email_template.deleted',
        'email_template.deleted',
      ]);
      for (const gone of [id, NOBODY])
        for (const step of everyCall(whose, gone)) {
          const answer = await api(step);
          assert.deepEqual(
            [answer.code, answer.errorCode],
            [5, 'TEMPLATE_NOT_FOUND'],
            step.method.name,
          );
        }
    }
  });

/** Every call that names a template. */
function everyCall(organization: string, id: string): Step[] {
  const steps = templateSteps(organization);
  return [
    steps.get(id),
    steps.update(id, { subject: 'Any' }),
    steps.enable(id),
    steps.disable(id),
    steps.delete(id),
  ];
}

test('templates stay with whom they belong to: the environment does not see those of organizations, nor one organization the other’s', async (t) => {
  const api = await managementApi(t, gatewarden);
  const [one, other] = [await newOrganization(api), await newOrganization(api)].map(({ id }) =>
    String(id),
  );
  const own = await created(api, code, one);
  const shared = await created(api, code);
  for (const [whose, id] of [
    ['', own],
    [other, own],
    [one, shared],
  ] as const)
    for (const step of everyCall(whose ?? '', id))
      assert.equal((await api(step)).errorCode, 'TEMPLATE_NOT_FOUND', step.method.name);
  const nobody = templateSteps('org_123456789012345678');
  for (const step of [nobody.list(), nobody.create(code)])
    assert.equal((await api(step)).errorCode, 'ORGANIZATION_NOT_FOUND');
  for (const step of everyCall('org_1', own)) assert.equal((await api(step)).code, 3);
  for (const step of everyCall('', 'tpl_1')) assert.equal((await api(step)).code, 3);
});

test('a template that could not be used is refused with the reason: unknown variables, no code, open parts, code of its own (FSA-97)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const steps = templateSteps();
  const id = await created(api, code);
  const seen = await eventTypes();
  const refusals: readonly (readonly [Step, string])[] = [
    [steps.create({ ...code, subject: 'Hello {{user_nam}}' }), 'template.subject'],
    [steps.create({ ...code, subject: 'a\r\nBcc: b@c.example' }), 'template.subject'],
    [steps.create({ ...code, html_content: '<p>{{link}} {{otp}}</p>' }), 'template.html_content'],
    [steps.create({ ...code, html_content: '<p>no code</p>' }), 'template.html_content'],
    [steps.create({ ...code, plain_content: 'no code' }), 'template.plain_content'],
    [steps.create({ ...code, plain_content: '{{if otp}}{{otp}}' }), 'template.plain_content'],
    [steps.create({ ...code, html_content: '<script>{{otp}}</script>' }), 'template.html_content'],
    [steps.create({ ...code, html_content: '{{otp}}\u0000' }), 'template.html_content'],
    [steps.create({ ...code, subject: '' }), 'template.subject'],
    [steps.create({ ...code, subject: 'x'.repeat(256) }), 'template.subject'],
    [steps.create({ ...code, use_case: 99 }), 'template.use_case'],
    [steps.update(id, { html_content: '<p>{{if otp}}{{otp}}</p>' }), 'template.html_content'],
    [steps.update(id, { html_content: '' }), 'template.html_content'],
  ];
  for (const [step, field] of refusals) {
    const answer = await api(step);
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(step.rest[2]));
  }
  const large = await api(steps.create({ ...code, html_content: `{{otp}}${'ä'.repeat(600_000)}` }));
  assert.notEqual(large.code, 0, 'more than a mebibyte');
  assert.deepEqual(await eventTypes(), seen);
  assert.equal(member(ok(await api(steps.get(id))), 'template')['html_content'], code.html_content);
});

test('use cases say what templates may mention, with one to begin with that can be used as it is', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = String((await newOrganization(api))['id']);
  const useCases = members(ok(await api(useCaseSteps.list(), undefined)), 'use_cases');
  assert.equal(useCases.length, 12);
  for (const entry of useCases) {
    const { use_case, placeholders, default_template } = entry;
    const names = ok(await api(useCaseSteps.placeholders(String(use_case))))['placeholders'];
    assert.deepEqual(
      members({ placeholders: placeholders ?? [] }, 'placeholders').map(({ name }) => name),
      names,
    );
    const { placeholders: _names, ...template } = member({ t: default_template ?? {} }, 't');
    await created(api, template, organization);
  }
  const none = await api(useCaseSteps.placeholders('TEMPLATE_USECASE_UNSPECIFIED'));
  assert.deepEqual([none.code, none.fields], [3, ['use_case']]);
  await gatewarden.database.rows(sql`
    insert into email_templates (environment_id, id, organization_id, use_case, subject, html_content, plain_content, created_at, updated_at)
    select environment_id, 'tpl_' || (100000000000000 + n), ${organization}, 'USER_LOGIN_OTP', 'x', 'x', 'x', now(), now()
      from organizations, generate_series(1, 7) as n where id = ${organization}`);
  const raced = await Promise.all(
    [1, 2, 3].map(() => api(templateSteps(organization).create(code))),
  );
  assert.deepEqual(raced.map((answer) => answer.code).sort(), [0, 9, 9]);
  assert.ok(raced.some(({ errorCode }) => errorCode === 'TOO_MANY_TEMPLATES'));
});

test('mails look as the enabled template says; markup in what an application sends along stays text; a broken template is passed over (FSA-31, FSA-97)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const steps = templateSteps();
  let readers = 0;
  let email = '';
  const send = async (more: JsonObject = {}) => {
    readers += 1; // an address gets few mails in a row
    email = `reader${readers}@example.com`;
    ok(await api(passwordlessSteps.send({ email, ...more })));
    return await lastMail(email);
  };
  const plain = await send();
  assert.match(plain.subject, new RegExp(`^${plain.code} is your code`));
  const id = await created(api, {
    ...code,
    subject: 'Code {{otp}} for {{user_email}}',
    html_content: '<p title="to {{custom.team}}">{{otp}} {{custom.team}}{{custom.none}}</p>',
    plain_content: '{{if custom.team}}{{custom.team}}: {{end}}{{otp}}, {{expiry_time_relative}}',
  });
  assert.match((await send()).subject, /is your code/, 'not before it is enabled');
  ok(await api(steps.enable(id)));
  const team = `<img src=x onerror="alert(1)">\r\nBcc: x`;
  const mail = await send({ template: 'SIGNIN', template_variables: { team } });
  const text = '&lt;img src=x onerror=&quot;alert(1)&quot;&gt; Bcc: x';
  assert.deepEqual(
    [mail.subject, mail.html],
    [`Code ${mail.code} for ${email}`, `<p title="to ${text}">${mail.code} ${text}</p>`],
  );
  const [said, ends] = mail.text.split(', ');
  assert.equal(said, `<img src=x onerror="alert(1)"> Bcc: x: ${mail.code}`);
  assert.match(ends ?? '', /^[45] minutes$/);
  assert.match((await send({ template: 'SIGNUP' })).subject, /is your code/, 'another use case');

  // As if another version of the server had written it.
  await gatewarden.database.rows(
    sql`update email_templates set html_content = '{{not_yet_known}}' where id = ${id}`,
  );
  const fallen = await send();
  assert.match(fallen.subject, /is your code/);
  assert.ok(fallen.html.includes(`${fallen.code}`.replace(/^(...)/, '$1 ')));
  const shown = member(ok(await api(steps.get(id))), 'template');
  assert.equal(shown['html_content'], '{{not_yet_known}}');
  ok(await api(steps.disable(id)));
  assert.match((await send()).subject, /is your code/);
});

test('the hosted pages send by the same templates: one for people who are known, one for new addresses (FSA-97)', async (t) => {
  const site = await startSignInSite(t as never, { database: await testPglite(t as never) });
  const { environmentId } = site.ctx;
  for (const [index, useCase] of ['USER_SIGNUP_LINK_OTP', 'USER_LOGIN_LINK_OTP'].entries())
    await site.app.db.rows(sql`
      insert into email_templates (environment_id, id, use_case, enabled, subject, html_content, plain_content, created_at, updated_at)
      values (${environmentId}, ${`tpl_10000000000000${index}`}, ${useCase}, true, ${`${useCase} {{otp}}`}, '<a href="{{link}}">{{app_name}}</a>', '{{link}}', now(), now())`);
  const subjects: string[] = [];
  for (let times = 0; times < 2; times += 1) {
    const browser = site.browser();
    await signInByCode(browser, await browser.get('/start'), 'hosted@example.com');
    const [mail] = await mailbox(site.origin, 'hosted@example.com');
    assert.ok(mail);
    subjects.push(mail.subject.replace(String(mail.code), 'code'));
    assert.match(
      String(mail.html),
      /^<a href="http[^"]+\/login\/link\/[\w-]+">Acme Calendar<\/a>$/,
    );
    site.clock.advance(120);
  }
  assert.deepEqual(subjects, ['USER_SIGNUP_LINK_OTP code', 'USER_LOGIN_LINK_OTP code']);
});

test('a template of the organization comes before one of the environment, and only for its own mails', async (t) => {
  const api = await managementApi(t, gatewarden);
  const acme = String((await newOrganization(api, { display_name: 'Acme <b>' }))['id']);
  const other = String((await newOrganization(api))['id']);
  const invitation = {
    use_case: 'USER_INVITE',
    html_content: '<a href="{{link}}">{{organization_name}}</a>',
    plain_content: '{{link}}',
  };
  const shared = await created(api, { ...invitation, subject: 'Shared' });
  ok(await api(templateSteps().enable(shared)));
  const own = await created(api, { ...invitation, subject: 'Own {{organization_name}}' }, acme);
  ok(await api(templateSteps(acme).enable(own)));
  const invite = async (organization: string, email: string) => {
    ok(await api(memberSteps(organization).create({ email, membership: {} }, true)));
    return await lastMail(email);
  };
  const mail = await invite(acme, 'one@example.com');
  assert.equal(mail.subject, 'Own Acme <b>');
  assert.match(
    mail.html,
    /^<a href="http:\/\/localhost:[0-9]+\/login\/invitation\/[\w-]+">Acme &lt;b&gt;<\/a>$/,
  );
  assert.equal((await invite(other, 'two@example.com')).subject, 'Shared');
  ok(await api(templateSteps(acme).disable(own)));
  assert.equal((await invite(acme, 'three@example.com')).subject, 'Shared');
  ok(await api(templateSteps().delete(shared)));
  assert.notEqual((await invite(acme, 'four@example.com')).subject, 'Shared');
});

test('a race to enable leaves one template of a use case enabled', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = String((await newOrganization(api))['id']);
  const steps = templateSteps(organization);
  const ids = await Promise.all([1, 2, 3].map(() => created(api, code, organization)));
  for (const answer of await Promise.all(ids.map((id) => api(steps.enable(id))))) ok(answer);
  const enabled = members(ok(await api(steps.list())), 'templates').filter((e) => e['enabled']);
  assert.equal(enabled.length, 1);
});
