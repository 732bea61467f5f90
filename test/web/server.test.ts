// The gateway's HTTP server: who is answered, what is told when something breaks, and what Prometheus reads.
import { request } from "node:http";
import type { FastifyPluginAsync } from "fastify";
import { afterEach, describe, expect, it } from "vitest";
import type { Job } from "../../src/core/job.ts";
import type { GatewayEvent } from "../../src/core/ports.ts";
import { createMetrics } from "../../src/web/metrics.ts";
import { type Server, type ServerOptions, startServer } from "../../src/web/server.ts";
import type { Status } from "../../src/web/status-page.ts";
import { createTally } from "../../src/web/tally.ts";

const COUNTS = { queued: 2, running: 1, done: 7, failed: 1, cancelled: 0 };
const JOB: Job = {
  id: "1f3a9c",
  recording: {
    key: "playground/1",
    place: {
      platform: "playground",
      workspace: "playground",
      channel: "standup",
      isDirect: false,
      user: "you",
      reach: "thread",
    },
    kind: "voice message",
    name: "a secret name.flac",
    source: {},
  },
  request: {},
  state: "running",
  attempt: 1,
  addedAtMs: 0,
  steps: {},
};
const DONE: GatewayEvent = {
  ...{ kind: "job_done", job: JOB, audioSeconds: 60, workMs: 4000, waitMs: 5000 },
  ...{ model: "demo", device: "cpu" },
};
const FAILED: GatewayEvent = { kind: "job_failed", job: JOB, code: "no_audio", error: new Error("a secret reason") };

const status: Status = {
  engine: { model: "demo", device: "cpu", notes: ["Demo model: <b>small</b>."] },
  platforms: ["playground"],
  counts: COUNTS,
  ...{ audioSeconds: 0, workSeconds: 0, upSeconds: 0, failures: [] },
};
const metricsOf = () => createMetrics({ counts: async () => COUNTS });

describe("the server", () => {
  let server: Server | undefined;
  const observed: GatewayEvent[] = [];
  afterEach(async () => {
    await server?.close();
    server = undefined;
    observed.length = 0;
  });

  async function start(options: Partial<ServerOptions> = {}): Promise<string> {
    server = await startServer({
      ...{
        host: "127.0.0.1",
        port: 0,
        metrics: metricsOf(),
        status: async () => status,
        plugins: [],
        signedPlugins: [],
      },
      observe: (event) => observed.push(event),
      ...options,
    });
    return server.url;
  }

  it("says on every answer that nothing from outside may be loaded, framed or guessed", async () => {
    const url = await start();
    for (const path of ["/healthz", "/status", "/nowhere"]) {
      const { headers } = await fetch(`${url}${path}`);
      expect(headers.get("content-security-policy")).toContain("default-src 'self'");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
    }
  });

  it("tells the log what broke, and the caller only that something did", async () => {
    const url = await start({
      plugins: [
        async (app) => {
          app.get("/broken", async () => {
            throw new Error("a path or a token");
          });
        },
      ],
    });
    const response = await fetch(`${url}/broken`);
    expect([response.status, await response.json()]).toEqual([
      500,
      { message: "Something went wrong: the log says what." },
    ]);
    expect(observed).toMatchObject([{ kind: "unexpected", where: "web", error: { message: "a path or a token" } }]);
  });

  it("takes what a platform signs under any name, and its pages under this machine's alone", async () => {
    const open: FastifyPluginAsync = async (app) => {
      app.post("/signed", async () => "taken");
    };
    const { port } = new URL(await start({ signedPlugins: [open] }));
    const ask = (method: string, path: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        // fetch does not let anybody set the Host header.
        const asked = request({ port, method, path, headers: { host: "bot.example.com" } }, (response) =>
          resolve(response.resume().statusCode),
        );
        asked.on("error", reject).end();
      });
    expect(await ask("POST", "/signed")).toBe(200);
    expect(await ask("GET", "/status")).toBe(421);
  });

  it("is not healthy while the database does not answer", async () => {
    const url = await start({ status: () => Promise.reject(new Error("disk I/O error")) });
    const response = await fetch(`${url}/healthz`);
    expect([response.status, await response.json()]).toMatchObject([503, { status: "failing" }]);
    expect(observed).toMatchObject([{ kind: "unexpected", where: "health" }]);
  });

  it("has a status page for this machine alone", async () => {
    const url = await start({ host: "0.0.0.0" });
    const { port } = new URL(url);
    expect((await fetch(`http://127.0.0.1:${port}/status`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  });

  it("says which setting to change when the port is taken", async () => {
    const { port } = new URL(await start());
    await expect(
      startServer({
        ...{ host: "127.0.0.1", port: Number(port), metrics: metricsOf(), status: async () => status },
        ...{ plugins: [], signedPlugins: [], observe: () => {} },
      }),
    ).rejects.toMatchObject({ name: "ConfigError", problems: [expect.stringContaining("EARSHOT_PORT")] });
  });

  it("shows queue, speed and the last failures by code and id, never contents", async () => {
    const tally = createTally(() => Date.UTC(2026, 10, 25, 2, 0, 0));
    for (const event of [DONE, FAILED]) tally.observe(event);
    const url = await start({ status: async () => ({ ...status, ...tally.read() }) });
    const page = await (await fetch(`${url}/status`)).text();
    for (const part of ["1 running, 2 waiting", "15.0 times real time", "2026-11-25 02:00:00", "1f3a9c", "no_audio"])
      expect(page).toContain(part);
    expect(page).toContain("&lt;b&gt;small&lt;/b&gt;");
    expect(page).not.toContain("secret");
  });
});

describe("the metrics", () => {
  it("count jobs, audio, work and failures, and read the queue when asked", async () => {
    const metrics = metricsOf();
    const events: GatewayEvent[] = [
      { kind: "job_added", job: JOB },
      { kind: "job_started", job: JOB, waitMs: 5 },
      { kind: "job_retried", job: JOB, code: "unavailable", error: new Error("x") },
      DONE,
      FAILED,
      { kind: "job_cancelled", job: JOB },
      { kind: "unexpected", where: "web", error: new Error("x") },
    ];
    for (const event of events) metrics.observe(event);
    const text = await metrics.text();
    for (const line of [
      'earshot_jobs_total{platform="playground",outcome="added"} 1',
      'earshot_jobs_total{platform="playground",outcome="done"} 1',
      'earshot_jobs_total{platform="playground",outcome="failed"} 1',
      'earshot_jobs_total{platform="playground",outcome="cancelled"} 1',
      'earshot_job_failures_total{code="unavailable"} 1',
      'earshot_job_failures_total{code="no_audio"} 1',
      'earshot_audio_seconds_total{model="demo",device="cpu"} 60',
      'earshot_work_seconds_total{model="demo",device="cpu"} 4',
      'earshot_wait_seconds_bucket{le="5"} 1',
      'earshot_queue_jobs{state="queued"} 2',
      'earshot_unexpected_errors_total{where="web"} 1',
    ])
      expect(text).toContain(line);
    expect(text).not.toContain("secret");
  });
});
