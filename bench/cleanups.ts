/** What has to be ended when the bench ends, however it ends; the last one started first. */
export type Cleanups = {
  add(work: () => Promise<void>): void;
  run(): Promise<void>;
};

export function newCleanups(): Cleanups {
  const works: (() => Promise<void>)[] = [];
  return {
    add: (work) => {
      works.push(work);
    },
    async run() {
      for (let work = works.pop(); work; work = works.pop()) await work();
    },
  };
}
