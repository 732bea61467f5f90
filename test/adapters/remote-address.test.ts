// Which addresses a download may reach: every special one there is, however it is written, and names that lead to them.
import { BlockList } from "node:net";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { isInside, lookupOutside } from "../../src/adapters/remote-address.ts";

const answers: { address: string; family: number }[][] = [];
let asked = 0;
vi.mock("node:dns", async (original) => ({
  ...(await original<typeof import("node:dns")>()),
  lookup: (_name: string, _options: object, tell: (error: null, found: unknown) => void) => {
    asked++;
    tell(null, answers.shift() ?? []);
  },
}));

describe("an address", () => {
  it.each([
    ...[
      "127.0.0.1",
      "127.255.255.254",
      "0.0.0.0",
      "0.1.2.3",
      "10.0.0.1",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.1",
    ],
    // Carriers' own, link-local with the clouds' metadata, documentation, benchmarks, multicast, reserved, broadcast.
    ...["100.64.0.1", "100.127.255.255", "169.254.169.254", "192.0.0.192", "192.0.2.1", "198.51.100.7", "203.0.113.9"],
    ...["198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"],
    ...["::", "::1", "fe80::1", "fe80::1%eth0", "febf::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"],
    ...["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "0:0:0:0:0:ffff:7f00:1"],
    ...["64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1.1.1.1", "2002:7f00:1::", "2002:0a00:0001::1"],
    ...["2001:0:53aa:64c:0:0:f5ff:fffe", "2001:db8::1", "3fff::1", "100::1", "5f00::1"],
  ])("%s is inside", (address) => expect(isInside(address)).toBe(true));

  it.each([
    ...[
      "1.1.1.1",
      "8.8.8.8",
      "100.63.255.255",
      "100.128.0.1",
      "172.15.0.1",
      "172.32.0.1",
      "169.253.0.1",
      "223.255.255.1",
    ],
    ...["2606:4700::1111", "2a00:1450:4001:81b::200e", "2001:4860:4860::8888", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"],
  ])("%s is not", (address) => expect(isInside(address)).toBe(false));

  it("counts as itself when it is written as IPv6, mapped or translated", () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
        for (const form of [`::ffff:${address}`, `::ffff:${hex}`, `64:ff9b::${hex}`, `0:0:0:0:0:ffff:${hex}`]) {
          expect(isInside(form), form).toBe(isInside(address));
        }
      }),
    );
  });

  it("of IPv6 is never outside unless it is a global one, and never throws", () => {
    const global = new BlockList();
    global.addSubnet("2000::", 3, "ipv6");
    global.addSubnet("::ffff:0:0", 96, "ipv6");
    global.addSubnet("64:ff9b::", 96, "ipv6");
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        if (!isInside(address)) expect(global.check(address, "ipv6")).toBe(true);
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void isInside(text)));
  });
});

describe("a name", () => {
  const look = (options: object) =>
    new Promise((resolve, reject) => {
      lookupOutside("files.example.com", options, (error, found, family) =>
        error ? reject(error) : resolve(family === undefined ? found : [found, family]),
      );
    });
  const outside = { address: "1.1.1.1", family: 4 };

  it("that leads inside with one of its addresses leads nowhere", async () => {
    for (const address of ["10.0.0.1", "::ffff:169.254.169.254", "::1"]) {
      answers.push([outside, { address, family: 4 }]);
      await expect(look({ all: true })).rejects.toMatchObject({ name: "PlatformError", code: "rejected" });
    }
  });

  it("is asked for once: what was checked is what is connected to", async () => {
    answers.push([outside], [{ address: "127.0.0.1", family: 4 }]);
    const before = asked;
    expect(await look({ all: true })).toEqual([outside]);
    expect(asked).toBe(before + 1);
    await expect(look({})).rejects.toMatchObject({ code: "rejected" });
    answers.push([outside]);
    expect(await look({})).toEqual(["1.1.1.1", 4]);
  });
});
