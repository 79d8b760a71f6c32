/** A scope as an authorization server registers it: what people read when they are asked to allow it. */
export type DemoScope = {
  readonly name: 'todo:read' | 'todo:write';
  readonly class: 'see' | 'change';
  readonly title: string;
  readonly description: string;
};

/** The scopes of the demo server. */
export const demoScopes: readonly DemoScope[] = [
  {
    name: 'todo:read',
    class: 'see',
    title: 'See your to-dos',
    description: 'Read the titles of your to-dos and whether they are done.',
  },
  {
    name: 'todo:write',
    class: 'change',
    title: 'Change your to-dos',
    description: 'Add to-dos, mark them as done and delete them.',
  },
];

/** The tools of the demo server and the scope each one needs. */
export const demoTools: {
  readonly list_todos: 'todo:read';
  readonly get_todo: 'todo:read';
  readonly add_todo: 'todo:write';
  readonly complete_todo: 'todo:write';
  readonly delete_todo: 'todo:write';
} = {
  list_todos: 'todo:read',
  get_todo: 'todo:read',
  add_todo: 'todo:write',
  complete_todo: 'todo:write',
  delete_todo: 'todo:write',
};
