// What a program that reads a stranger's file can reach: tried from inside, with a shell in ffmpeg's place.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { endOf, type SandboxKind, sandboxFor } from "../../src/inference/sandbox.ts";

const KINDS: SandboxKind[] = ["bubblewrap", "namespaces", "limits"];
const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const NEEDED = ["sh", "env", "bash", "setpriv"];

let folder: string;
let server: Server;
let asked = 0;
const file = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "earshot-sandbox-"));
  writeFileSync(file("-i concat:'a b'\n$(id).wav"), "the recording\n");
  writeFileSync(file("secret"), "another file\n");
  server = createServer((socket) => {
    asked++;
    socket.end("the network\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const isLinux = process.platform === "linux";

/** An environment whose PATH has these programs alone. */
function withOnly(...names: readonly string[]): Record<string, string> {
  const bin = mkdtempSync(join(folder, "bin-"));
  for (const name of names) {
    try {
      symlinkSync(execFileSync("which", [name], { encoding: "utf8" }).trim(), join(bin, name));
    } catch {
      // It is not on this machine: then it is not in the folder either.
    }
  }
  return { PATH: bin, LD_LIBRARY_PATH: "" };
}

const environments: Record<SandboxKind, () => Record<string, string>> = {
  bubblewrap: () => withOnly(...NEEDED, "bwrap"),
  namespaces: () => withOnly(...NEEDED, "unshare"),
  limits: () => withOnly(...NEEDED),
};

describe.skipIf(!isLinux).each(KINDS)("%s (Linux)", (kind) => {
  let sandbox: Awaited<ReturnType<typeof sandboxFor>>;
  beforeAll(async () => {
    sandbox = await sandboxFor("bash", environments[kind]());
  });

  function start(script: string, cpuSeconds = 20) {
    const {
      file: command,
      args,
      input,
    } = sandbox.launch({ recording: file("-i concat:'a b'\n$(id).wav"), cpuSeconds });
    return spawn(command, [...args, "--norc", "-c", script, "bash", input.replace("file:", "")]);
  }
  async function run(script: string, cpuSeconds?: number) {
    const child = start(script, cpuSeconds);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (part: Buffer) => {
        output += part.toString();
      });
    }
    await new Promise((resolve) => child.once("close", resolve));
    return { output: output.trim(), end: endOf({ exitCode: child.exitCode, signal: child.signalCode }) };
  }
  const tries = (name: string, test: () => Promise<void>) =>
    it(name, async ({ skip }) => {
      if (sandbox.kind !== kind) skip(`no ${kind} here: ${sandbox.passedOver.join("; ")}`);
      await test();
    });

  tries("shows the recording, whatever its name looks like", async () => {
    expect(await run('read -r line < "$1"; echo "$line"')).toEqual({ output: "the recording", end: "done" });
  });

  tries("shows no other file, no home and no process, or all that this account may read", async () => {
    const { output } =
      await run(`for path in /etc/passwd /proc /home /tmp '${file("secret")}' '${folder}' "$HOME"/.*; do
      [ -e "$path" ] && echo "$path"; done; echo end`);
    if (kind === "bubblewrap") expect(output).toBe("end");
    else expect(output).toContain(file("secret"));
  });

  tries("lets nothing be written, neither here nor there", async () => {
    await run(`echo x > '${file("written")}'; echo x > /written; echo x >> "$1"`);
    const text = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");
    expect([text(file("written")), text("/written")]).toEqual(["", ""]);
    expect(text(file("-i concat:'a b'\n$(id).wav"))).toBe("the recording\n");
    rmSync(file("written"), { force: true });
  });

  tries("gives no network, or says so", async () => {
    const before = asked;
    const { port } = server.address() as AddressInfo;
    const { output } = await run(`exec 3<>/dev/tcp/127.0.0.1/${port} && read -r line <&3 && echo "$line"`);
    if (kind === "limits") {
      expect(output).toBe("the network");
      expect(asked).toBe(before + 1);
    } else {
      expect(output).not.toContain("the network");
      expect(asked).toBe(before);
    }
  });

  tries("gives nothing of the environment", async () => {
    vi.stubEnv("SLACK_BOT_TOKEN", "xoxb-canary");
    const { output } = await run('compgen -e; echo "$SLACK_BOT_TOKEN"').finally(() => vi.unstubAllEnvs());
    const own = ["PATH", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "PWD", "OLDPWD", "SHLVL", "_"];
    expect(output.split("\n").filter((name) => !own.includes(name))).toEqual([]);
  });

  tries("sets limits on time, memory, files and core dumps", async () => {
    const { output } = await run("ulimit -t; ulimit -v; ulimit -n; ulimit -f; ulimit -c");
    expect(output.split("\n")).toEqual(["20", "2097152", "64", "0", "0"]);
  });

  tries("ends what computes without end", async () => {
    expect(await run("while :; do :; done", 1)).toMatchObject({ end: expect.stringMatching(/crashed|stopped/) });
  });

  tries("tells a crash from an end by itself", async () => {
    expect(await run("kill -SEGV $$; exit 139")).toMatchObject({ end: "crashed" });
    expect(await run("exit 7")).toMatchObject({ end: "failed" });
    expect(await run("exit 0")).toMatchObject({ end: "done" });
  });

  tries("ends with the process that started it", async () => {
    const mark = `mark-${process.pid}-${kind}`;
    const { file: command, args } = sandbox.launch({ cpuSeconds: 20 });
    const script = `const child = require("node:child_process").spawn(${JSON.stringify(command)},
      ${JSON.stringify([...args, "--norc", "-c", "echo on; read -r _ || while :; do :; done", mark])}, { stdio: ["pipe", "pipe", "inherit"] });
      child.stdout.once("data", () => console.log("on")); setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => parent.stdout.once("data", resolve));
    const running = () => execFileSync("ps", ["-A", "-o", "stat=,args="], { encoding: "utf8" }).split("\n");
    const left = () => running().filter((line) => line.endsWith(mark) && !line.startsWith("Z"));
    expect(left()).not.toEqual([]);
    parent.kill("SIGKILL");
    await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 10_000 });
  });

  tries("takes along all that it has started, when it is killed", async () => {
    if (kind !== "bubblewrap") return; // ffmpeg starts nothing; only these walls hold what would.
    const child = start("(while :; do :; done) & echo on; wait");
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL");
    const ended = new Promise((resolve) => child.once("close", resolve));
    await ended; // All of them held its output.
  });
});

describe.skipIf(!isLinux)("the choice (Linux)", () => {
  it("says what stood in the way of a better one", async () => {
    const { kind, passedOver, starts } = await sandboxFor("bash", withOnly(...NEEDED));
    expect({ kind, passedOver, starts }).toEqual({
      kind: "limits",
      starts: true,
      passedOver: ["bwrap is not installed", "unshare is not installed"],
    });
  });

  it("passes over one that is forbidden, as in containers", async () => {
    const bin = file("forbidden");
    mkdirSync(bin);
    for (const name of ["bwrap", "unshare"]) {
      const says = `echo "${name}: Operation not permitted" >&2; exit 1`;
      writeFileSync(join(bin, name), `#!/bin/sh\n${says}\n`, { mode: 0o755 });
    }
    const { kind, passedOver } = await sandboxFor("bash", { PATH: `${bin}:${withOnly(...NEEDED)["PATH"]}` });
    expect(kind).toBe("limits");
    expect(passedOver).toEqual([
      "bwrap does not work here (bwrap: Operation not permitted)",
      "unshare does not work here (unshare: Operation not permitted)",
    ]);
  });

  it("is not passed over in silence when it is required", async () => {
    const env = { ...withOnly(...NEEDED), EARSHOT_SANDBOX: "require" };
    await expect(sandboxFor("bash", env)).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(/EARSHOT_SANDBOX=require.*bwrap is not installed.*Install bubblewrap/),
    });
  });

  it("stops the start when it is required, and says so", async () => {
    const env = { ...withOnly(...NEEDED, "ffmpeg", "ffprobe"), EARSHOT_SANDBOX: "require", EARSHOT_DATA: file("data") };
    const started = spawnSync(process.execPath, [MAIN, "start", "--port", "0"], { env, encoding: "utf8" });
    expect(started.status).not.toBe(0);
    expect(started.stderr).toMatch(
      /EARSHOT_SANDBOX=require, and ffmpeg cannot be walled in on this machine: bwrap is not/,
    );
    expect(started.stderr).not.toContain("    at ");
  });

  it("can be to have none, and a wrong word is no choice", async () => {
    const off = await sandboxFor("bash", { ...environments.bubblewrap(), EARSHOT_SANDBOX: "off" });
    expect([off.kind, off.passedOver]).toEqual(["limits", ["EARSHOT_SANDBOX=off"]]);
    await expect(sandboxFor("bash", { EARSHOT_SANDBOX: "on" })).rejects.toThrow("must be auto, require or off");
  });

  it("is made again for a program that did not start, which may be installed by then", async () => {
    const path = file("later");
    expect(await sandboxFor(path)).toMatchObject({ starts: false });
    symlinkSync(execFileSync("which", ["bash"], { encoding: "utf8" }).trim(), path);
    expect(await sandboxFor(path)).toMatchObject({ starts: true });
  });
});
