// What `earshot doctor` says of a pool of machines: its server, what waits in it, what was set aside, and who is there.
import { ConfigError } from "../core/errors.ts";
import { lookAtPool, type PoolView } from "../inference/pool/look.ts";
import type { NatsSettings } from "../inference/pool/server-options.ts";
import type { Finding } from "./doctor.ts";

const MEGABYTE = 1024 ** 2;
/** A store as full as this makes gateways wait soon. */
const NEARLY_FULL = 0.9;

export async function checkPool(nats: NatsSettings | undefined): Promise<Finding[]> {
  if (nats === undefined) return [];
  let seen: PoolView | string;
  try {
    seen = await lookAtPool(nats);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    seen = error.message;
  }
  if (typeof seen === "string") {
    return [{ check: "pool", state: "mend", finding: seen, remedy: "docs/pool.md says how a pool is set up" }];
  }
  const { version, role, audio } = seen;
  const findings: Finding[] = [
    { check: "pool", state: "ok", finding: `nats-server ${version} answers, with the rights of a ${role}` },
  ];
  if (audio === undefined) {
    const remedy = "start a gateway with it: earshot start --nats …";
    return [...findings, { check: "", state: "mend", finding: "there is no pool in it yet", remedy }];
  }
  const megabytes = `${Math.ceil(audio.bytes / MEGABYTE)} of ${Math.floor(audio.maxBytes / MEGABYTE)} MB`;
  const kept = `recordings take ${megabytes}, kept ${audio.replicas === 1 ? "once" : `${audio.replicas} times`}`;
  findings.push(
    audio.bytes < NEARLY_FULL * audio.maxBytes
      ? { check: "", state: "ok", finding: kept }
      : { check: "", state: "note", finding: kept, remedy: "add machines, or raise EARSHOT_NATS_MEGABYTES" },
  );
  return [...findings, ...waiting(seen), ...setAside(seen), ...machines(seen)];
}

function waiting({ work }: PoolView): Finding[] {
  return work === undefined
    ? []
    : [{ check: "", state: "ok", finding: `${work.messages} recordings wait or are worked on` }];
}

function setAside({ dead }: PoolView): Finding[] {
  if (dead === undefined || dead.messages === 0) return [];
  const finding = `${dead.messages} recordings were set aside: each ended several transcriptions`;
  return [
    { check: "", state: "note", finding, remedy: "look at them: nats stream view EARSHOT_DEAD; see docs/pool.md" },
  ];
}

function machines({ members }: PoolView): Finding[] {
  if (members === undefined) return [];
  if (members.length === 0) {
    const remedy = "start one: earshot worker --nats …";
    return [{ check: "", state: "mend", finding: "no machine is there", remedy }];
  }
  return members.map(({ worker, models, device, busy, done, version }) => ({
    check: "",
    state: "ok",
    finding: `${worker}: ${models.join(", ") || "rests"} on ${device}, ${busy} at work, ${done} done, version ${version}`,
  }));
}
