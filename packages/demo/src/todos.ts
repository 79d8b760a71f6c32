/** One to-do of one person. `id` counts up per person. */
export type Todo = { readonly id: number; readonly title: string; readonly done: boolean };

/** To-dos kept in memory, each person's apart. */
export type Todos = {
  list(owner: string): readonly Todo[];
  get(owner: string, id: number): Todo | undefined;
  /** `undefined` when the list is full. */
  add(owner: string, title: string): Todo | undefined;
  complete(owner: string, id: number): Todo | undefined;
  remove(owner: string, id: number): boolean;
};

type List = { nextId: number; readonly items: Map<number, Todo> };

const ownerLimit = 1_000;
const todoLimit = 100;

/** At most 100 to-dos for each of 1,000 people; whoever has not been here for the longest is forgotten first. */
export function createTodos(): Todos {
  const lists = new Map<string, List>();

  function listOf(owner: string): List {
    const list = lists.get(owner) ?? { nextId: 1, items: new Map() };
    lists.delete(owner); // set again below, so that the map's order is that of last use
    lists.set(owner, list);
    const [oldest] = lists.keys();
    if (lists.size > ownerLimit && oldest !== undefined) lists.delete(oldest);
    return list;
  }

  return {
    list: (owner) => [...listOf(owner).items.values()],
    get: (owner, id) => listOf(owner).items.get(id),
    add(owner, title) {
      const list = listOf(owner);
      if (list.items.size >= todoLimit) return undefined;
      const todo = { id: list.nextId, title, done: false };
      list.nextId += 1;
      list.items.set(todo.id, todo);
      return todo;
    },
    complete(owner, id) {
      const { items } = listOf(owner);
      const todo = items.get(id);
      if (!todo) return undefined;
      const done = { ...todo, done: true };
      items.set(id, done);
      return done;
    },
    remove: (owner, id) => listOf(owner).items.delete(id),
  };
}
