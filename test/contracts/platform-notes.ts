// What every keeper of a platform's notes holds to.
import { describe, expect, it } from "vitest";
import type { PlatformNotes } from "../../src/core/ports.ts";

/** @param open gives the notes of a platform, and what is written in them as a later start finds it */
export function platformNotesContract(
  name: string,
  open: () => Promise<{ notes: PlatformNotes; other: PlatformNotes; reopened(): Promise<PlatformNotes> }>,
): void {
  describe(`the contract of platform notes: ${name}`, () => {
    it("gives back what was put, also after a restart, and the newest value of a key", async () => {
      const { notes, reopened } = await open();
      expect(await notes.get("conversation:19:a")).toBeUndefined();
      await notes.put("conversation:19:a", { serviceUrl: "https://example.org", grüße: [1, null, true] });
      await notes.put("subscription", "first");
      await notes.put("subscription", null);
      const later = await reopened();
      expect(await later.get("conversation:19:a")).toEqual({
        serviceUrl: "https://example.org",
        grüße: [1, null, true],
      });
      expect(await later.get("subscription")).toBeNull();
    });

    it("lists by prefix, taken literally, in the order of the keys, each with when it was written", async () => {
      const { notes } = await open();
      for (const key of ["b:2", "b:10", "b", "a_1", "aX1", "b:\u{1F980}", "B:1"]) await notes.put(key, key);
      expect((await notes.list("b:")).map(({ key }) => key)).toEqual(["b:10", "b:2", "b:\u{1F980}"]);
      expect((await notes.list("a_")).map(({ key }) => key)).toEqual(["a_1"]);
      expect(await notes.list("")).toHaveLength(7);
      expect((await notes.list("b:10"))[0]).toMatchObject({ value: "b:10", atMs: expect.any(Number) });
      expect(await notes.list("c")).toEqual([]);
    });

    it("removes a note for one caller only", async () => {
      const { notes } = await open();
      await notes.put("consent:1", { file: "standup.srt" });
      const taken = await Promise.all([notes.remove("consent:1"), notes.remove("consent:1")]);
      expect(taken.filter(Boolean)).toHaveLength(1);
      expect(await notes.get("consent:1")).toBeUndefined();
      expect(await notes.remove("consent:2")).toBe(false);
    });

    it("keeps one platform's notes from another's", async () => {
      const { notes, other } = await open();
      await notes.put("same", 1);
      await other.put("same", 2);
      expect([await notes.get("same"), await other.get("same")]).toEqual([1, 2]);
      expect(await other.remove("same")).toBe(true);
      expect(await notes.list("")).toHaveLength(1);
    });

    it("refuses what JSON cannot hold", async () => {
      const { notes } = await open();
      await expect(notes.put("none", undefined)).rejects.toThrow("none");
    });
  });
}
