// Real msal and real client against the Graph double, and for meetings real SQLite and a server that takes notifications.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fastify, { type FastifyInstance } from "fastify";
import { onTestFinished, vi } from "vitest";
import {
  createGraph,
  type GraphOptions,
  type HearMeeting,
  type MeetingRecording,
} from "../../src/adapters/teams/graph/index.ts";
import type { GatewayEvent } from "../../src/core/ports.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { createPlatformNotes } from "../../src/storage/platform-notes.ts";
import { APP, APP_SECRET, type GraphDoubleOptions, startGraphDouble, TENANT } from "./graph-double.ts";
import { memoryNotes } from "./memory-notes.ts";

export async function startGraphRig(
  options: Partial<GraphOptions> & {
    readonly double?: GraphDoubleOptions;
    readonly startMs?: number;
    readonly isOnDisk?: boolean;
  } = {},
) {
  const { double: doubleOptions, startMs, isOnDisk = false, ...own } = options;
  // A clock that runs, and that a test can put forward.
  let aheadMs = (startMs ?? Date.now()) - Date.now();
  const now = () => Date.now() + aheadMs;
  const double = await startGraphDouble({ now, ...doubleOptions });
  const folder = await mkdtemp(join(tmpdir(), "earshot-graph-"));
  const database = isOnDisk ? openDatabase(join(folder, "earshot.db"), { now }) : undefined;
  const notes = database === undefined ? memoryNotes(now) : createPlatformNotes(database, "teams");
  const heard: MeetingRecording[] = [];
  const warned: string[] = [];
  const observed: GatewayEvent[] = [];
  const stops: (() => Promise<void>)[] = [];
  /** The same address after a restart, as behind a proxy. */
  let port = 0;

  const graphWith = (more: Partial<GraphOptions> = {}) =>
    createGraph({
      tenant: TENANT,
      appId: APP,
      appPassword: APP_SECRET,
      hosts: double.hosts,
      notes,
      meetings: { kind: "off" },
      maxBytes: 100_000_000,
      observe: (event) => void observed.push(event),
      warn: (sentence) => void warned.push(sentence),
      now,
      lookEveryMs: 20,
      ...own,
      ...more,
    });

  async function freePort(): Promise<number> {
    const probe = fastify();
    const address = await probe.listen({ host: "127.0.0.1", port: 0 });
    await probe.close();
    return Number(new URL(address).port);
  }

  /** A gateway that hears of meetings, until it is stopped. */
  async function startGateway(more: Partial<GraphOptions> & { readonly hear?: HearMeeting } = {}) {
    port ||= await freePort();
    const publicUrl = `http://127.0.0.1:${port}`;
    const { hear, ...rest } = more;
    const graph = graphWith({ meetings: { kind: "tenant" }, publicUrl, ...rest });
    const stop = new AbortController();
    const web: FastifyInstance = fastify({ forceCloseConnections: true });
    await web.register(graph.plugin);
    await graph.listen(async (recording) => {
      const outcome = (await hear?.(recording)) ?? "taken";
      if (outcome === "taken") heard.push(recording);
      return outcome;
    }, stop.signal);
    await web.listen({ host: "127.0.0.1", port });
    let isStopped = false;
    const end = async () => {
      if (isStopped) return;
      isStopped = true;
      stop.abort();
      await web.close();
    };
    stops.push(end);
    return { graph, publicUrl, notificationUrl: `${publicUrl}/api/teams/notifications`, stop: end };
  }

  onTestFinished(async () => {
    for (const stop of stops) await stop();
    await double.close();
    database?.close();
    await rm(folder, { recursive: true, force: true });
  });

  return {
    double,
    folder,
    notes,
    heard,
    warned,
    observed,
    now,
    /** Hours pass in no time. */
    pass: (ms: number) => {
      aheadMs += ms;
    },
    graph: graphWith(),
    graphWith,
    startGateway,
  };
}

export const eventually = (check: () => unknown, timeout = 10_000) => vi.waitFor(check, { timeout, interval: 10 });
