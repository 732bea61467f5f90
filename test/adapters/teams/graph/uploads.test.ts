// Transcript files through the Graph double: whole and in pieces, twice and beside others, and what no permission allows.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { driveFileName, markedName } from "../../../../src/adapters/teams/graph/file-name.ts";
import type { FilesPlace } from "../../../../src/adapters/teams/graph/index.ts";
import { quickXorHash } from "../../../../src/adapters/teams/graph/quick-xor.ts";
import { refused } from "../../../support/graph-double.ts";
import { startGraphRig } from "../../../support/graph-rig.ts";

const ANNA = "976f4b31-fd01-4e0b-9178-29cc40c14438";
const BEN = "8b081ef6-4792-4def-b2c9-c363a1bf41d5";
const CHANNEL: FilesPlace = { kind: "channel", team: "team-1", channel: "19:general@thread.tacv2" };
const CHAT: FilesPlace = { kind: "chat", chat: "19:abc@thread.v2", owner: ANNA };
const FILE = { name: "stand-up.srt", mimeType: "application/x-subrip", content: "1\n00:00 --> 00:01\nGrüße\n" };
/** 12 MB: three pieces. */
const LARGE = { ...FILE, content: "subtitle\n".repeat(1_350_000) };
const PIECE = 16 * 320 * 1024;

async function startUploads() {
  const rig = await startGraphRig();
  const { drive } = rig.double.addFolder("team-1", "19:general@thread.tacv2");
  rig.double.setMembers("19:abc@thread.v2", [
    { userId: ANNA },
    { userId: BEN },
    { userId: "guest", tenantId: "another-tenant" },
    { userId: "carl" },
  ]);
  return { ...rig, drive, stored: () => rig.double.itemsIn(drive) };
}

describe("an upload", () => {
  it("lies in the channel's folder, with a link for people", async () => {
    const { graph, stored, drive } = await startUploads();
    const done = await graph.upload(CHANNEL, FILE);
    const [item] = stored();
    expect(item).toMatchObject({ name: "stand-up.srt", folder: "folder-19:general@thread.tacv2" });
    expect(item?.content.toString()).toBe(FILE.content);
    expect(done).toEqual({ name: "stand-up.srt", drive, item: item?.id, webUrl: expect.stringMatching(/^http.*srt$/) });
  });

  it("is there once, however often it is uploaded", async () => {
    const { graph, stored } = await startUploads();
    const first = await graph.upload(CHANNEL, FILE);
    expect(await graph.upload(CHANNEL, FILE)).toEqual(first);
    expect(stored()).toHaveLength(1);
  });

  it("is there once when the answer to the first attempt was lost", async () => {
    const { graph, stored, double } = await startUploads();
    double.fail(/^PUT/, "lose", 1);
    await graph.upload(CHANNEL, FILE);
    expect(stored()).toHaveLength(1);
  });

  it("leaves another file of the name alone, and has the same second name each time", async () => {
    const { graph, stored, double, drive } = await startUploads();
    const own = {
      drive,
      folder: "folder-19:general@thread.tacv2",
      name: FILE.name,
      content: Buffer.from("somebody's"),
    };
    double.addFile(own);
    const done = await graph.upload(CHANNEL, FILE);
    expect(done.name).toMatch(/^stand-up \([0-9a-f]{6}\)\.srt$/);
    expect(await graph.upload(CHANNEL, FILE)).toEqual(done);
    expect(stored().map(({ name, content }) => [name, content.toString()])).toEqual([
      [FILE.name, "somebody's"],
      [done.name, FILE.content],
    ]);
    const other = await graph.upload(CHANNEL, { ...FILE, content: "another recording" });
    expect(other.name).not.toBe(done.name);
  });

  it("of a chat lies in the OneDrive of whoever posted, for the chat's people of this organisation to read", async () => {
    const { graph, double } = await startUploads();
    const done = await graph.upload(CHAT, FILE);
    expect(done.drive).toBe(double.driveOf(ANNA));
    const item = double.items.get(done.item);
    expect(item).toMatchObject({ folder: "Earshot", name: "stand-up.srt" });
    expect(item?.invited).toEqual([BEN, "carl"]);
  });

  it.each([
    ["Files.ReadWrite.All", CHANNEL],
    ["Files.ReadWrite.All", CHAT],
    ["ChatMember.Read.Chat", CHAT],
  ] as const)("says that %s is missing, and leaves nothing behind", async (permission, place) => {
    const { graph, double } = await startUploads();
    double.granted.delete(permission);
    await expect(graph.upload(place, FILE)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining(permission),
    });
    expect(double.items.size).toBe(0);
  });

  it("is shown in the chat instead where there is no place for files", async () => {
    const { graph, double } = await startUploads();
    const nowhere = { ...CHANNEL, channel: "19:new@thread.tacv2" };
    await expect(graph.upload(nowhere, FILE)).rejects.toMatchObject({ code: "forbidden" });
    double.fail(/^PUT \/users/, refused(404, "ResourceNotFound"));
    await expect(graph.upload(CHAT, FILE)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("There is no place for files."),
    });
  });

  it("waits through a storm of 429s", async () => {
    const { graph, stored, double } = await startUploads();
    double.throttle(/^PUT/, 3);
    await graph.upload(CHANNEL, FILE);
    expect(stored()).toHaveLength(1);
  });
});

describe("a large upload", () => {
  it("goes in pieces of 320 KiB, without the token", async () => {
    const { graph, stored, double } = await startUploads();
    await graph.upload(CHANNEL, LARGE);
    const size = LARGE.content.length;
    expect(double.drives.pieces).toEqual([
      `bytes 0-${PIECE - 1}/${size}`,
      `bytes ${PIECE}-${2 * PIECE - 1}/${size}`,
      `bytes ${2 * PIECE}-${size - 1}/${size}`,
    ]);
    expect(stored()[0]?.content.toString()).toBe(LARGE.content);
    for (const { authorization } of double.callsOf(/upload\//)) expect(authorization).toBeUndefined();
    expect(double.sessions.size).toBe(0);
  });

  it("goes on where it broke off, also when a piece had arrived whose answer was lost", async () => {
    const { graph, stored, double } = await startUploads();
    double.fail(/^PUT \/upload/, "drop");
    await graph.upload(CHANNEL, LARGE);
    double.fail(/^PUT \/upload/, "lose");
    await graph.upload(CHANNEL, { ...LARGE, name: "second.srt" });
    double.throttle(/^PUT \/upload/, 2);
    double.fail(/^GET \/upload/, refused(503, "busy"));
    await graph.upload(CHANNEL, { ...LARGE, name: "third.srt" }).catch(() => {});
    for (const { content } of stored().slice(0, 2)) expect(content.toString()).toBe(LARGE.content);
    expect(double.drives.pieces.slice(0, 3)).toHaveLength(3);
  });

  it("begins anew when Microsoft forgot the session", async () => {
    const { graph, stored, double } = await startUploads();
    double.fail(/^PUT \/upload/, refused(404, "itemNotFound"));
    await graph.upload(CHANNEL, LARGE);
    expect(stored()).toHaveLength(1);
    expect(double.callsOf(/createUploadSession/)).toHaveLength(2);
  });

  it("is given up and taken away when it cannot be finished", async () => {
    const { graph, stored, double } = await startUploads();
    double.fail(/^PUT \/upload/, refused(507, "insufficientStorage"));
    await expect(graph.upload(CHANNEL, LARGE)).rejects.toMatchObject({ code: "forbidden" });
    expect(stored()).toEqual([]);
    expect(double.sessions.size).toBe(0);
  });

  it("sends no byte to a place that is none of Microsoft's", async () => {
    const { graph, double } = await startUploads();
    for (const uploadUrl of ["https://evil.example/upload", "http://169.254.169.254/", "", 7]) {
      double.fail(/createUploadSession/, { body: { uploadUrl } });
      await expect(graph.upload(CHANNEL, LARGE)).rejects.toThrow("none of its own");
    }
    expect(double.drives.pieces).toEqual([]);
  });

  it("stops with the signal", async () => {
    const { graph, double, stored } = await startUploads();
    const stop = new AbortController();
    double.fail(/^PUT \/upload/, refused(503, "busy"), 99);
    const upload = graph.upload(CHANNEL, LARGE, stop.signal);
    stop.abort(new Error("over"));
    await expect(upload).rejects.toThrow("over");
    expect(stored()).toEqual([]);
  });
});

describe("QuickXorHash", () => {
  // Ref: rclone, backend/onedrive/quickxorhash/quickxorhash_test.go
  it.each([
    ["", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="],
    ["Sg==", "SgAAAAAAAAAAAAAAAQAAAAAAAAA="],
    ["tbQ=", "taAFAAAAAAAAAAAAAgAAAAAAAAA="],
    ["0pZP", "0rDEEwAAAAAAAAAAAwAAAAAAAAA="],
  ])("of %j", (content, hash) => {
    expect(quickXorHash(Buffer.from(content, "base64"))).toBe(hash);
  });
});

describe("file names", () => {
  it.each([
    ["Weekly 2026-11-25.srt", "Weekly 2026-11-25.srt"],
    ['a/b\\c:d*e?"f<g>|h.txt', "a_b_c_d_e__f_g__h.txt"],
    [" ..hidden. ", "hidden"],
    ["", "file"],
    ["con", "file con"],
    ["~$draft.txt", "_$draft.txt"],
    ["Grüße 🎙.vtt", "Grüße 🎙.vtt"],
  ])("%j is kept as %j", (wished, name) => {
    expect(driveFileName(wished)).toBe(name);
  });

  it("are ones that SharePoint takes, whatever was wished", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (wished) => {
        const name = driveFileName(wished);
        const isTaken = /^[^"*:<>?/\\|]{1,140}$/u.test(name) && !/^[\s.]|[\s.]$/.test(name);
        return isTaken && Array.from(name).length <= 130;
      }),
      { numRuns: 50 },
    );
  });

  it("keep their ending when they are marked", () => {
    expect(markedName("a.b.srt", "1f3a9c")).toBe("a.b (1f3a9c).srt");
    expect(markedName("a", "1f3a9c")).toBe("a (1f3a9c)");
  });
});
