// What Prometheus can read of each machine of a pool, as it last spoke of itself.
import { Gauge, type Registry } from "prom-client";
import type { PoolMember } from "../core/ports.ts";

const PER_WORKER = {
  busy: "Recordings that it works on",
  done: "Recordings that it finished since it was started",
  failed: "Recordings that it had to give back since it was started",
  audioSeconds: "Seconds of audio that it transcribed since it was started",
  workSeconds: "Seconds that it took for them",
} as const;

export function addPoolMetrics(registers: Registry[], members: () => readonly PoolMember[]): void {
  new Gauge({
    name: "earshot_pool_workers",
    help: "Machines of the pool that are there, by model and device",
    labelNames: ["model", "device"],
    registers,
    collect() {
      this.reset();
      for (const { models, device } of members()) for (const model of models) this.inc({ model, device });
    },
  });
  for (const [field, help] of Object.entries(PER_WORKER)) {
    new Gauge({
      name: `earshot_pool_worker_${field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
      help,
      labelNames: ["worker", "device"],
      registers,
      collect() {
        // What a machine that has gone has done is told no more.
        this.reset();
        for (const member of members()) {
          const { worker, device } = member;
          this.set({ worker, device }, member[field as keyof typeof PER_WORKER]);
        }
      },
    });
  }
}
