// What the gateway's configuration says of a pool of machines.
import type { NatsSettings } from "../inference/pool/server-options.ts";

export interface PoolConfig {
  readonly nats: NatsSettings;
  readonly replicas: number;
  readonly audioBytes: number;
  /** Jobs at once. */
  readonly parallel: number;
}

export interface PoolValues {
  readonly transcriber?: "local" | "nats";
  readonly nats?: string;
  readonly natsCreds?: string;
  readonly natsCa?: string;
  readonly natsCert?: string;
  readonly natsKey?: string;
  readonly natsReplicas?: number;
  readonly natsMegabytes?: number;
  readonly parallel?: number;
}

/** @returns undefined: this machine transcribes by itself */
export function poolConfig(values: PoolValues, problems: string[]): PoolConfig | undefined {
  const { nats, natsCreds, natsCa, natsCert, natsKey, transcriber = nats === undefined ? "local" : "nats" } = values;
  if (transcriber === "local") return undefined;
  if (nats === undefined) {
    problems.push("EARSHOT_NATS is missing: EARSHOT_TRANSCRIBER=nats needs the address of the pool's NATS server.");
    return undefined;
  }
  const { natsReplicas = 1, natsMegabytes = 10_240, parallel = 32 } = values;
  if (natsReplicas % 2 === 0) problems.push(`EARSHOT_NATS_REPLICAS must be 1, 3 or 5, not ${natsReplicas}.`);
  return {
    nats: {
      servers: nats.split(","),
      ...(natsCreds === undefined ? {} : { credentialsPath: natsCreds }),
      ...(natsCa === undefined ? {} : { caPath: natsCa }),
      ...(natsCert === undefined ? {} : { certPath: natsCert }),
      ...(natsKey === undefined ? {} : { keyPath: natsKey }),
    },
    replicas: natsReplicas,
    audioBytes: natsMegabytes * 1024 ** 2,
    parallel,
  };
}
