// The walls around ffmpeg, which reads what strangers send: which ones this machine can build, and the command line that
// puts a program behind them.
import { execFile } from "node:child_process";
import { access, constants as fileModes, realpath } from "node:fs/promises";
import { constants } from "node:os";
import { basename, delimiter, dirname, extname, join, resolve } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { ConfigError } from "../core/errors.ts";

/**
 * "bubblewrap": no network, no files but the recording and libraries, no other processes to be seen, no privileges.
 * "namespaces": no network and no privileges. "limits": bounded in time, memory and files, and nothing more.
 */
export type SandboxKind = "bubblewrap" | "namespaces" | "limits";

export const SANDBOX_VARIABLE = "EARSHOT_SANDBOX";

export interface Sandbox {
  readonly kind: SandboxKind;
  /** Why a better one was passed over, best first; empty when there is none better, or none was wanted. */
  readonly passedOver: readonly string[];
  /** Whether the program starts at all. */
  readonly starts: boolean;
  /** The command line that runs the program on a recording, or on nothing. The recording's name inside comes with it. */
  launch(run: { readonly recording?: string; readonly cpuSeconds: number }): Launch;
}

export interface Launch {
  readonly file: string;
  /** What stands before the program's own arguments. */
  readonly args: readonly string[];
  /** What the program is to read: a URL of ffmpeg's. */
  readonly input: string;
}

/** How a walled-in program ended, whose shell-like walls tell a signal as 128 and its number. */
export function endOf(end: { readonly exitCode: number | null; readonly signal: NodeJS.Signals | null }): End {
  const { exitCode, signal } = end;
  const number = signal === null ? (exitCode ?? 0) - 128 : signals[signal];
  if (exitCode === 0) return "done";
  if (CRASHES.some((name) => signals[name] === number)) return "crashed";
  // 255: ffmpeg was asked to end, and did so in good order with half of the recording.
  return signal !== null || exitCode === 255 || STOPS.some((name) => signals[name] === number) ? "stopped" : "failed";
}

/** "crashed": by the recording, or for what it used up; "stopped": by somebody else. */
export type End = "done" | "failed" | "crashed" | "stopped";

const { signals } = constants;
const CRASHES = ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS", "SIGTRAP", "SIGXCPU"] as const;
const STOPS = ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGPIPE"] as const;

type Env = Readonly<Record<string, string | undefined>>;

const MEMORY_KILOBYTES = 2 * 1024 ** 2;
const MOST_OPEN_FILES = 64;
const TRY_MS = 20_000;

/** Where a program's libraries lie, and nothing of anybody's own. */
const LIBRARIES = [
  ...["/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib"],
  ...["/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/nix/store", "/gnu/store"],
];

/**
 * Limits that every child of the shell inherits, and an environment with nothing of ours. A limit that the system does
 * not know is left out. No file of even one byte can be written; a pipe can.
 */
const LIMITED = `for limit in "-c 0" "-f 0" "-n ${MOST_OPEN_FILES}" "-v ${MEMORY_KILOBYTES}" "-t $1"; do ulimit $limit 2>/dev/null || :; done
shift
exec env -i PATH="$PATH" LD_LIBRARY_PATH="$LD_LIBRARY_PATH" MALLOC_ARENA_MAX=1 "$@"`;

const known = new Map<string, Promise<Sandbox>>();

/**
 * The best that this machine has, found out by starting the program in it once; EARSHOT_SANDBOX may ask for less ("off")
 * or refuse anything but the best two ("require").
 * @throws ConfigError for a setting that is none, and where walls are required and there are none
 */
export async function sandboxFor(program: string, env: Env = process.env): Promise<Sandbox> {
  const wanted = sandboxWanted(env);
  const key = JSON.stringify([program, wanted, env["PATH"]]);
  let found = known.get(key);
  if (found === undefined) {
    found = choose(program, wanted, env);
    known.set(key, found);
  }
  const sandbox = await found;
  // What could not be started may be installed by the next time.
  if (!sandbox.starts) known.delete(key);
  if (wanted === "require" && sandbox.kind === "limits" && sandbox.starts) {
    throw new ConfigError([
      `${SANDBOX_VARIABLE}=require, and ffmpeg cannot be walled in on this machine: ${sandbox.passedOver.join("; ")}. ` +
        `Install bubblewrap and allow user namespaces, or set ${SANDBOX_VARIABLE}=auto.`,
    ]);
  }
  return sandbox;
}

/** @throws ConfigError */
export function sandboxWanted(env: Env): "auto" | "require" | "off" {
  const wanted = env[SANDBOX_VARIABLE] || "auto";
  if (wanted === "auto" || wanted === "require" || wanted === "off") return wanted;
  throw new ConfigError([`${SANDBOX_VARIABLE} is "${wanted}": it must be auto, require or off.`]);
}

async function choose(program: string, wanted: "auto" | "require" | "off", env: Env): Promise<Sandbox> {
  const passedOver: string[] = [];
  const found = (kind: SandboxKind, launch: Sandbox["launch"], starts = true): Sandbox => ({
    ...{ kind, starts, launch },
    passedOver: kind === "limits" && wanted === "off" ? [`${SANDBOX_VARIABLE}=off`] : passedOver,
  });
  if (process.platform === "linux") {
    for (const { kind, tool, walls } of await candidates(await located(program, env), env)) {
      if (wanted === "off" && kind !== "limits") continue;
      if (walls === undefined) {
        passedOver.push(`${tool} is not installed`);
        continue;
      }
      const launch: Sandbox["launch"] = ({ recording, cpuSeconds }) =>
        limited(cpuSeconds, walls(recording), kind === "bubblewrap" ? insideName(recording) : outsideName(recording));
      const problem = await whyItFails(launch({ cpuSeconds: 10 }));
      if (problem === undefined) return found(kind, launch);
      passedOver.push(`${tool} does not work here (${problem})`);
    }
  } else passedOver.push(`there is none for ${process.platform} yet`);
  const bare: Sandbox["launch"] = ({ recording, cpuSeconds }) =>
    process.platform === "win32"
      ? { file: program, args: [], input: outsideName(recording) }
      : limited(cpuSeconds, [program], outsideName(recording));
  return found("limits", bare, (await whyItFails(bare({ cpuSeconds: 10 }))) === undefined);
}

interface Candidate {
  readonly kind: SandboxKind;
  readonly tool: string;
  readonly walls: ((recording: string | undefined) => readonly string[]) | undefined;
}

async function candidates(program: string, env: Env): Promise<Candidate[]> {
  const [bwrap, unshare, setpriv] = await Promise.all(["bwrap", "unshare", "setpriv"].map((name) => onPath(name, env)));
  // An ffmpeg beside its libraries, as conda has it.
  const own = [program, join(dirname(dirname(program)), "lib"), ...(env["LD_LIBRARY_PATH"] ?? "").split(delimiter)];
  const seen = [...new Set([...LIBRARIES, ...own.filter((path) => path.startsWith("/"))])];
  const bubblewrap: Candidate["walls"] = (recording) => [
    bwrap ?? "",
    ...["--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"],
    ...["--die-with-parent", "--new-session"],
    ...seen.flatMap((path) => ["--ro-bind-try", path, path]),
    ...(recording === undefined ? [] : ["--ro-bind", resolve(recording), INSIDE + ending(recording)]),
    ...["--remount-ro", "/", "--chdir", "/", "--", program],
  ];
  // Each takes the place of the one before it, so that there is one process to kill, which also dies with its parent.
  const leashed = [...(setpriv ? [setpriv, "--no-new-privs", "--pdeathsig", "KILL", "--"] : []), program];
  const namespaces = [unshare ?? "", "--user", "--net", "--ipc", "--uts", "--", ...leashed];
  return [
    { kind: "bubblewrap", tool: "bwrap", walls: bwrap ? bubblewrap : undefined },
    { kind: "namespaces", tool: "unshare", walls: unshare ? () => namespaces : undefined },
    { kind: "limits", tool: "setpriv", walls: setpriv ? () => leashed : undefined },
  ];
}

function limited(cpuSeconds: number, command: readonly string[], input: string): Launch {
  return { file: "/bin/sh", args: ["-c", LIMITED, "sh", String(Math.ceil(cpuSeconds)), ...command], input };
}

const INSIDE = "/recording";
const insideName = (recording: string | undefined) => (recording ? `file:${INSIDE}${ending(recording)}` : "");
/** ffmpeg must take the path for a local file whatever it looks like ("http://…", "concat:…", "-i"). */
const outsideName = (recording: string | undefined) => (recording ? `file:${resolve(recording)}` : "");

/** Some formats are known by their ending alone. */
function ending(recording: string): string {
  const found = extname(basename(recording));
  return /^\.[a-z0-9]{1,8}$/i.test(found) ? found : "";
}

async function whyItFails({ file, args }: Launch): Promise<string | undefined> {
  try {
    await promisify(execFile)(file, [...args, "-version"], { timeout: TRY_MS, killSignal: "SIGKILL" });
    return undefined;
  } catch (error) {
    const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    return stderr.split("\n")[0] || (error instanceof Error ? error.message : String(error)).split("\n")[0] || "failed";
  }
}

/** Where a program really lies: a link to it would lead nowhere inside the walls. */
async function located(program: string, env: Env): Promise<string> {
  const path = /[\\/]/.test(program) ? resolve(program) : ((await onPath(program, env)) ?? program);
  return realpath(path).catch(() => path);
}

/** Where PATH finds a program. */
export async function onPath(name: string, env: Env = process.env): Promise<string | undefined> {
  for (const folder of (env["PATH"] ?? "").split(delimiter)) {
    const path = resolve(folder, name);
    const found = await access(path, fileModes.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}
