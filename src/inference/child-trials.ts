// Which recording killed the child: one that was alone in it. Those that died together are tried again one at a time, so
// that a poisoned one is found out and takes no other with it.

import { basename } from "node:path";

export interface Trials {
  /**
   * Resolves when the recording may begin: a suspect alone, every other while no suspect is tried. A recording is known
   * again by its file's name, wherever that lies.
   */
  admit(path: string, signal: AbortSignal): Promise<Stay>;
}

/** A recording's time in the child. */
export interface Stay {
  /** Its windows so far are kept, and the next must wait: resolves when it may go on. */
  pause(signal: AbortSignal): Promise<void>;
  /** It has ended, in whatever way but with the child. */
  leave(): void;
  /** The child has died with it. @returns whether no other can have been the cause */
  died(): boolean;
}

interface Present {
  isPaused: boolean;
}

export function createTrials(): Trials {
  const suspects = new Set<string>();
  const present = new Set<Present>();
  const wakers = new Set<() => void>();
  let trial: Present | undefined;
  /** Those whom the death that is being told may be laid to. */
  let active: ReadonlySet<Present> | undefined;

  /** Wakes up whenever somebody comes, pauses or goes. */
  async function until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    while (!condition()) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = () => {
          wakers.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        wakers.add(wake);
        signal.addEventListener("abort", wake);
      });
    }
    signal.throwIfAborted();
  }

  function change(): void {
    for (const wake of wakers) wake();
  }

  function leave(one: Present): void {
    present.delete(one);
    if (trial === one) trial = undefined;
    change();
  }

  return {
    async admit(path, signal) {
      await until(() => trial === undefined, signal);
      const name = basename(path);
      const one: Present = { isPaused: false };
      present.add(one);
      if (suspects.has(name)) {
        trial = one;
        try {
          // The others stop after their window, which is then safe.
          await until(() => [...present].every((other) => other === one || other.isPaused), signal);
        } catch (error) {
          leave(one);
          throw error;
        }
      }
      return {
        async pause(whenAborted) {
          if (trial === one) {
            // It has come further than the child did that died with it.
            trial = undefined;
            suspects.delete(name);
            change();
          }
          if (trial === undefined) return;
          one.isPaused = true;
          change();
          try {
            await until(() => trial === undefined, whenAborted);
          } finally {
            one.isPaused = false;
          }
        },
        leave() {
          suspects.delete(name);
          leave(one);
        },
        died() {
          if (active === undefined) {
            active = new Set([...present].filter((other) => !other.isPaused));
            // The others are told in the same turn.
            queueMicrotask(() => {
              active = undefined;
            });
          }
          if (active.has(one)) suspects.add(name);
          leave(one);
          return active.size === 1 && active.has(one);
        },
      };
    },
  };
}
