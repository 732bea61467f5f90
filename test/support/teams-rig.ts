// Real botbuilder against the local counterpart, with a listener that writes down what it is told.
import fastify from "fastify";
import { onTestFinished, vi } from "vitest";
import { createTeams, type TeamsOptions } from "../../src/adapters/teams/index.ts";
import type { GatewayEvent, Listener } from "../../src/core/ports.ts";
import { memoryNotes } from "./memory-notes.ts";
import { notedListener } from "./noted-listener.ts";
import { startTeamsDouble, type TeamsDoubleOptions } from "./teams-double.ts";

export async function startTeamsRig(
  options: Partial<TeamsOptions> & {
    readonly listens?: boolean;
    readonly listener?: Partial<Listener>;
    readonly double?: TeamsDoubleOptions;
    /** By several tests, of which the last one closes it. */
    readonly isShared?: boolean;
  } = {},
) {
  const { listens = true, listener: own, double: doubleOptions, isShared: _isShared, ...teamsOptions } = options;
  const double = await startTeamsDouble(doubleOptions);
  const { told, listener } = notedListener(own);
  const observed: GatewayEvent[] = [];
  const notes = options.notes ?? memoryNotes();
  const { platform, plugins } = createTeams({
    app: double.app,
    hosts: double.hosts,
    meetings: { kind: "off" },
    notes,
    maxBytes: 10_000_000,
    callEveryMs: 0,
    observe: (event) => void observed.push(event),
    now: Date.now,
    ...teamsOptions,
  });
  const web = fastify({ bodyLimit: 1024 ** 2 });
  for (const plugin of plugins) await web.register(plugin);
  const url = await web.listen({ host: "127.0.0.1", port: 0 });
  double.useEndpoint(`${url}/api/messages`);
  const stop = new AbortController();
  if (listens) await platform.listen(listener, stop.signal);
  const close = async () => {
    stop.abort();
    await web.close();
    await double.close();
  };
  if (!options.isShared) onTestFinished(close);
  return { double, platform, told, observed, listener, notes, stop, url, close };
}

export const eventually = (check: () => unknown, timeout = 10_000) => vi.waitFor(check, { timeout, interval: 10 });
