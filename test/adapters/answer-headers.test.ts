// Headers as anybody may write them: every one ends in a number in bounds, an address, or one PlatformError.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addressOf,
  isRest,
  redirectTarget,
  requirePlainBody,
  retryAfterMs,
  versionOf,
} from "../../src/adapters/answer-headers.ts";
import { PlatformError } from "../../src/core/errors.ts";

const NOW = Date.parse("2026-11-25T08:00:00Z");
const from = new URL("https://files.example.com/a/b");
const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.webUrl(), fc.nat().map(String));

describe("Retry-After", () => {
  it.each([
    ["7", 7000],
    ["0", 1000],
    ["Wed, 25 Nov 2026 08:00:30 GMT", 30_000],
    ["Wed, 25 Nov 2020 08:00:30 GMT", 1000],
    ["99999999999999999999", 3_600_000],
    ["9".repeat(400), 3_600_000],
    ["-5", 1000],
    ["soon", 1000],
    ["Infinity", 1000],
    [undefined, 1000],
  ])("%s", (header, waitMs) => expect(retryAfterMs(header, NOW)).toBe(waitMs));

  it("is never out of bounds", () => {
    fc.assert(
      fc.property(text, (header) => {
        const waitMs = retryAfterMs(header, NOW);
        expect(waitMs).toBeGreaterThanOrEqual(1000);
        expect(waitMs).toBeLessThanOrEqual(3_600_000);
      }),
    );
  });
});

describe("a link", () => {
  it("is an address without anybody's name in it, or refused", () => {
    fc.assert(
      fc.property(text, (location) => {
        for (const read of [() => redirectTarget(location, from), () => addressOf(location)]) {
          try {
            const { username, password } = read();
            expect([username, password]).toEqual(["", ""]);
          } catch (error) {
            expect(error).toBeInstanceOf(PlatformError);
          }
        }
      }),
    );
    expect(redirectTarget("//u:p@other.example/c", from).href).toBe("https://other.example/c");
    expect(redirectTarget("../c", from).href).toBe("https://files.example.com/c");
  });
});

describe("the rest of a file", () => {
  const begun = { bytes: 100, version: '"v1"' };
  it.each([
    [{ "content-range": "bytes 100-199/200" }, true],
    [{ "content-range": "bytes 100-199/*" }, true],
    [{ "content-range": "bytes 100-199/200", "content-length": "100", etag: '"v1"' }, true],
    [{ "content-range": "bytes 100-199/200", "content-length": "99" }, false],
    [{ "content-range": "bytes 100-199/200", etag: '"v2"' }, false],
    [{ "content-range": "bytes 99-199/200" }, false],
    [{ "content-range": "bytes 100-99/200" }, false],
    [{ "content-range": "bytes 100-150/200" }, false],
    [{ "content-range": "bytes */200" }, false],
    [{}, false],
  ])("%o", (headers, expected) => expect(isRest(headers, begun)).toBe(expected));

  it("begins where the beginning ends, whatever is said", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), fc.nat(300), (first, last, all) => {
        if (isRest({ "content-range": `bytes ${first}-${last}/${all}` }, begun)) {
          expect([first, last + 1]).toEqual([100, all]);
        }
      }),
    );
    fc.assert(fc.property(text, (range) => void isRest({ "content-range": range }, begun)));
  });
});

it("a version is a strong tag, or else the date", () => {
  expect(versionOf({ etag: '"a"', "last-modified": "d" })).toBe('"a"');
  expect(versionOf({ etag: 'W/"a"', "last-modified": "d" })).toBe("d");
  expect(versionOf({ etag: 'W/"a"' })).toBeUndefined();
});

it.each(["gzip", "br", "deflate", "zstd", "identity, gzip", "GZIP", "x"])(
  "a body packed as %s is refused",
  (encoding) => {
    expect(() => requirePlainBody({ "content-encoding": encoding })).toThrow(PlatformError);
    expect(() => requirePlainBody({ "content-encoding": "identity" })).not.toThrow();
    expect(() => requirePlainBody({})).not.toThrow();
  },
);
