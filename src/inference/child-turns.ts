// Whose turn it is in the child: long recordings pause between windows while a short one is there.

export interface Turns {
  /** @returns to be called when the recording is done */
  begin(isShort: boolean): () => void;
  /** Resolves when the recording may decode its next window, or when it is aborted. */
  mine(isShort: boolean, signal: AbortSignal): Promise<void>;
}

export function createTurns(): Turns {
  let shortOnes = 0;
  const waiting = new Set<() => void>();
  return {
    begin(isShort) {
      if (!isShort) return () => {};
      shortOnes++;
      return () => {
        shortOnes--;
        if (shortOnes === 0) for (const go of waiting) go();
      };
    },
    async mine(isShort, signal) {
      while (!isShort && shortOnes > 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const go = () => {
            waiting.delete(go);
            signal.removeEventListener("abort", go);
            resolve();
          };
          waiting.add(go);
          signal.addEventListener("abort", go);
        });
      }
    },
  };
}
