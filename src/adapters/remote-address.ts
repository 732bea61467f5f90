// Which addresses a download may connect to: checked after the name was resolved, so that no name leads inside.
import { type LookupAddress, lookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { PlatformError } from "../core/errors.ts";

/** Ref: IANA special-purpose address registries (RFC 6890): whatever is not reached over the public internet. */
const INSIDE = new BlockList();
for (const [net, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const) {
  INSIDE.addSubnet(net, prefix, "ipv4");
}
/** The public internet of IPv6, and what of it is not public. */
const GLOBAL = new BlockList();
GLOBAL.addSubnet("2000::", 3, "ipv6");
for (const [net, prefix] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const) {
  INSIDE.addSubnet(net, prefix, "ipv6");
}
/** IPv4 addresses behind a translator: they count as themselves. Ref: RFC 6052 */
const TRANSLATED = new BlockList();
TRANSLATED.addSubnet("64:ff9b::", 96, "ipv6");

/**
 * Loopback, private, link-local, multicast, reserved, tunnels; an IPv4 address inside an IPv6 one counts as itself. What
 * is no address at all is a name, and none of these.
 */
export function isInside(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  if (family === 4) return INSIDE.check(address, "ipv4");
  // A zone names an interface of this machine.
  if (address.includes("%")) return true;
  const mapped = embedded(address);
  if (mapped !== undefined) return INSIDE.check(mapped, "ipv4");
  return !GLOBAL.check(address, "ipv6") || INSIDE.check(address, "ipv6");
}

/** The IPv4 address in a mapped (::ffff:0:0/96) or translated one. */
function embedded(address: string): string | undefined {
  const words = wordsOf(address);
  const isMapped = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff;
  if (!isMapped && !TRANSLATED.check(address, "ipv6")) return undefined;
  return words
    .slice(6)
    .flatMap((word) => [word >> 8, word & 0xff])
    .join(".");
}

/** The eight numbers of an IPv6 address, in the one way in which URL writes it. */
function wordsOf(address: string): number[] {
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const numbers = (text: string) => (text === "" ? [] : text.split(":").map((word) => Number.parseInt(word, 16)));
  const [before, after] = [numbers(head), numbers(tail ?? "")];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}

/** A connection's lookup that fails for names which lead inside. */
export const lookupOutside: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error !== null) return callback(error, []);
    if (addresses.some(({ address }) => isInside(address))) return callback(refusedAddress(hostname), []);
    const [first] = addresses;
    if (options.all || first === undefined) return callback(null, addresses);
    return callback(null, first.address, first.family);
  });
};

export function refusedAddress(hostname: string): PlatformError {
  return new PlatformError(
    "rejected",
    `A recording's link leads to ${hostname}, which is an address of a private network.`,
  );
}
