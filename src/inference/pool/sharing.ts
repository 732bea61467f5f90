// Two callers may want the same item: the last one to leave clears it away, and whoever comes then waits for that.

export interface Sharing {
  /** @returns to be called once: whether nobody else wants it */
  enter(id: string): Promise<() => boolean>;
  isShared(id: string): boolean;
  /** Work on an item that nobody wants, which the next one to enter waits for. */
  clearing(id: string, work: () => Promise<void>): void;
  /** Resolves when nothing is being cleared away. */
  settled(): Promise<void>;
}

export function createSharing(): Sharing {
  const counts = new Map<string, number>();
  const cleared = new Map<string, Promise<void>>();
  return {
    async enter(id) {
      counts.set(id, (counts.get(id) ?? 0) + 1);
      await cleared.get(id);
      return () => {
        const left = (counts.get(id) ?? 1) - 1;
        if (left > 0) counts.set(id, left);
        else counts.delete(id);
        return left === 0;
      };
    },
    isShared: (id) => counts.has(id),
    clearing(id, work) {
      const done = work().finally(() => {
        if (cleared.get(id) === done) cleared.delete(id);
      });
      cleared.set(id, done);
    },
    async settled() {
      await Promise.allSettled(cleared.values());
    },
  };
}
