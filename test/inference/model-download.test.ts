import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Progress, type PullOptions, pullModel } from "../../src/inference/model-download.ts";
import { graphFiles, readManifest } from "../../src/inference/model-files.ts";
import { removeModel, verifyModel } from "../../src/inference/model-upkeep.ts";
import { installedModels, resolveModel } from "../../src/inference/models.ts";
import { type HubServer, startHubServer } from "../support/hub-server.ts";

const plain = "onnx-community/whisper-tiny";
const timestamped = "onnx-community/whisper-tiny_timestamped";
const encoder = "onnx/encoder_model_quantized.onnx";
const decoder = "onnx/decoder_model_merged_quantized.onnx";

/** Files by name in the public layout, of random content: what is in them does not matter to a download. */
function repository(): Map<string, Buffer> {
  return new Map([
    ["README.md", Buffer.from("# A model")],
    ["config.json", Buffer.from('{"model_type":"whisper"}')],
    ["generation_config.json", randomBytes(500)],
    ["preprocessor_config.json", randomBytes(300)],
    ["tokenizer.json", randomBytes(20_000)],
    [encoder, randomBytes(600_000)],
    [decoder, randomBytes(900_000)],
    ["onnx/encoder_model.onnx", randomBytes(1_000)],
    ["onnx/encoder_model.onnx_data", randomBytes(70_000)],
    ["onnx/encoder_model.onnx_data_1", randomBytes(30_000)],
    ["onnx/decoder_model.onnx", randomBytes(40_000)],
    ["onnx/decoder_with_past_model.onnx", randomBytes(40_000)],
  ]);
}

let hub: HubServer;
let folder: string;
let env: Record<string, string>;

beforeEach(async () => {
  hub = await startHubServer();
  folder = await mkdtemp(join(tmpdir(), "earshot-models-"));
  env = { EARSHOT_MODELS: folder, HF_ENDPOINT: hub.endpoint };
});

afterEach(async () => {
  await hub.close();
  await rm(folder, { recursive: true, force: true });
});

function pull(options: Partial<PullOptions> = {}) {
  return pullModel("tiny", { device: "cpu", signal: new AbortController().signal, env, backoffMs: 1, ...options });
}

const cdnRequests = (path: string) => hub.requests.filter((one) => one.server === "cdn" && one.path.endsWith(path));
const isModel = () => installedModels(env).length > 0;

describe("pullModel", () => {
  it("fetches the files of one precision and nothing else, and writes their sizes and checksums down", async () => {
    const files = repository();
    hub.repos.set(timestamped, files);
    const progress: Progress[] = [];
    const pulled = await pull({ onProgress: (one) => progress.push(one) });

    expect(pulled).toMatchObject({ name: "tiny", repo: timestamped, precision: "q8", path: join(folder, "tiny") });
    const wanted = [
      "config.json",
      "generation_config.json",
      "preprocessor_config.json",
      "tokenizer.json",
      encoder,
      decoder,
    ];
    const there = (await readdir(pulled.path, { recursive: true })).filter((name) => name !== "onnx").sort();
    expect(there).toEqual([...wanted, "earshot.json"].sort());
    for (const path of wanted) expect(files.get(path)?.equals(await readFile(join(pulled.path, path)))).toBe(true);
    expect(
      readManifest(pulled.path)
        ?.files.map((file) => file.path)
        .sort(),
    ).toEqual([...wanted].sort());
    expect(await verifyModel("tiny", env)).toEqual({ files: 6, problems: [] });
    expect(await resolveModel("tiny", { device: "cpu", env })).toMatchObject({ path: pulled.path, isDemo: false });

    const last = progress.at(-1);
    expect(last?.bytes).toBe(last?.totalBytes);
    expect(last?.totalBytes).toBe(pulled.fetchedBytes);
  });

  it("reads the tree page by page", async () => {
    hub.repos.set(timestamped, repository());
    hub.pageSize = 3;
    await pull();
    expect(await verifyModel("tiny", env)).toEqual({ files: 6, problems: [] });
    expect(hub.requests.filter((one) => one.path.includes("/tree/")).length).toBe(5);
  });

  it("fetches the weights that lie beside a graph, and the pair of decoders where none is merged", async () => {
    hub.repos.set(timestamped, repository());
    const { path } = await pull({ precision: "fp32" });
    const onnx = (await readdir(join(path, "onnx"))).sort();
    expect(onnx).toEqual([
      "decoder_model.onnx",
      "decoder_with_past_model.onnx",
      "encoder_model.onnx",
      "encoder_model.onnx_data",
      "encoder_model.onnx_data_1",
    ]);
    expect(graphFiles(path, "fp32", "cpu").withPast).toBe(join(path, "onnx/decoder_with_past_model.onnx"));
  });

  it("adds a second precision to the first, and fetches nothing twice", async () => {
    hub.repos.set(timestamped, repository());
    await pull();
    hub.requests.length = 0;
    const { path, fetchedBytes } = await pull({ precision: "fp32" });
    expect(fetchedBytes).toBe(1_000 + 70_000 + 30_000 + 40_000 + 40_000);
    expect(await verifyModel("tiny", env)).toEqual({ files: 11, problems: [] });
    expect(graphFiles(path, undefined, "cpu").precision).toBe("q8");
    expect((await pull()).fetchedBytes).toBe(0);
  });

  it("takes the next repository when the first does not exist or lacks its graphs", async () => {
    hub.repos.set(plain, repository());
    expect((await pull()).repo).toBe(plain);
    await removeModel("tiny", env);
    hub.repos.set(timestamped, new Map([["config.json", Buffer.from("{}")]]));
    expect((await pull()).repo).toBe(plain);
  });

  it("replaces the files of another repository", async () => {
    hub.repos.set(plain, repository());
    await pull({ precision: "fp32" });
    hub.repos.set(timestamped, repository());
    const { path } = await pull();
    expect(readManifest(path)?.repo).toBe(timestamped);
    expect((await readdir(join(path, "onnx"))).sort()).toEqual([decoder.slice(5), encoder.slice(5)]);
  });

  it("goes on after a dropped connection with the rest of the file only", async () => {
    hub.repos.set(timestamped, repository());
    hub.faults.push({ path: encoder, kind: { dropAfterBytes: 250_000 } });
    await pull();
    const [first, second, ...more] = cdnRequests(encoder);
    expect(more).toEqual([]);
    expect(first?.range).toBeUndefined();
    const from = Number(/^bytes=(\d+)-$/.exec(second?.range ?? "")?.[1]);
    expect(from).toBeGreaterThan(0);
    expect(from).toBeLessThanOrEqual(250_000);
    expect(second?.sentBytes).toBe(600_000 - from);
    expect(await verifyModel("tiny", env)).toEqual({ files: 6, problems: [] });
  });

  it("keeps what was fetched when it is stopped, is no model until then, and goes on from there", async () => {
    hub.repos.set(timestamped, repository());
    hub.faults.push({ path: decoder, kind: { stallAfterBytes: 300_000 } });
    const stopped = new AbortController();
    const onProgress = ({ file }: Progress) => {
      if (file === decoder) setTimeout(() => stopped.abort(), 50);
    };
    await expect(pull({ signal: stopped.signal, onProgress })).rejects.toMatchObject({ name: "AbortError" });
    expect(isModel()).toBe(false);
    await expect(resolveModel("tiny", { device: "cpu", env })).rejects.toMatchObject({ code: "model_missing" });
    expect((await readdir(join(folder, "tiny/onnx"))).sort()).toEqual([
      `${decoder.slice(5)}.part`,
      `${encoder.slice(5)}.part`,
    ]);

    hub.requests.length = 0;
    await pull();
    expect(cdnRequests(encoder)).toEqual([]);
    const [rest] = cdnRequests(decoder);
    expect(rest?.sentBytes).toBe(600_000);
    expect(rest?.range).toBe("bytes=300000-");
    expect(isModel()).toBe(true);
  });

  it("throws away a file with a wrong checksum, says so, and leaves no model", async () => {
    hub.repos.set(timestamped, repository());
    hub.faults.push({ path: encoder, kind: { content: randomBytes(600_000) } });
    await expect(pull()).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringContaining(
        `${encoder} of ${timestamped} arrived from ${hub.endpoint} with the wrong checksum`,
      ),
    });
    expect(isModel()).toBe(false);
    expect(existsSync(join(folder, "tiny", `${encoder}.part`))).toBe(false);
  });

  it("checks the small files too, by their git blob id", async () => {
    hub.repos.set(timestamped, repository());
    hub.faults.push({ path: "tokenizer.json", kind: { content: randomBytes(20_000) } });
    await expect(pull()).rejects.toMatchObject({ message: expect.stringContaining("tokenizer.json of") });
  });

  it("starts a file over when the rest does not fit what was there before", async () => {
    hub.repos.set(timestamped, repository());
    await mkdir(join(folder, "tiny/onnx"), { recursive: true });
    await writeFile(join(folder, "tiny", `${encoder}.part`), randomBytes(100_000));
    await writeFile(join(folder, "tiny", `${decoder}.part`), randomBytes(2_000_000));
    await pull();
    expect(cdnRequests(encoder).map((one) => one.range)).toEqual(["bytes=100000-", undefined]);
    expect(await verifyModel("tiny", env)).toEqual({ files: 6, problems: [] });
  });

  it("mends a file that was damaged on disk", async () => {
    hub.repos.set(timestamped, repository());
    const { path } = await pull();
    await truncate(join(path, decoder), 5);
    expect((await verifyModel("tiny", env)).problems).toEqual([`${join(path, decoder)} has the wrong size.`]);
    expect(() => graphFiles(path, undefined, "cpu")).toThrow(
      'has 5 bytes instead of 900000: run "earshot models pull tiny"',
    );
    expect((await pull()).fetchedBytes).toBe(900_000);
    expect((await verifyModel("tiny", env)).problems).toEqual([]);
  });

  it("waits as long as a busy hub asks, and tries again after server errors", async () => {
    hub.repos.set(timestamped, repository());
    hub.faults.push({ path: "/tree/main", kind: { status: 429, headers: { "retry-after": "0" } } });
    hub.faults.push({ path: encoder, kind: { status: 503 } });
    hub.faults.push({ path: encoder, kind: { status: 500 } });
    await pull();
    expect(cdnRequests(encoder).length).toBe(3);
  });

  it("gives up on a hub that asks for an hour", async () => {
    hub.repos.set(timestamped, repository());
    hub.faults.push({ path: "/tree/main", kind: { status: 429, headers: { "retry-after": "3600" } } });
    await expect(pull()).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringMatching(/answered 429.*later/),
    });
  });

  it("says so when the hub cannot be reached", async () => {
    env["HF_ENDPOINT"] = "http://127.0.0.1:9";
    await expect(pull()).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringMatching(
        /^http:\/\/127\.0\.0\.1:9 cannot be reached \(.*\): try again later, or set HF_ENDPOINT/,
      ),
    });
  });

  it("says so when the hub's name is unknown, as it is without a network", async () => {
    env["HF_ENDPOINT"] = "http://earshot.invalid";
    await expect(pull()).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringMatching(
        /^http:\/\/earshot\.invalid cannot be reached \(E\w+\): try again later, or set HF_/,
      ),
    });
  });

  it("says so when no repository is there, or none has the precision", async () => {
    await expect(pull()).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringContaining(`${hub.endpoint} has none of ${timestamped}, ${plain}`),
    });
    hub.repos.set(timestamped, repository());
    await expect(pull({ precision: "q4" })).rejects.toMatchObject({
      message: `${timestamped} at ${hub.endpoint} has no onnx/encoder_model_q4.onnx: leave out --precision or name another one.`,
    });
    expect(existsSync(join(folder, "tiny"))).toBe(false);
  });

  it("says so when the address is not a hub", async () => {
    hub.repos.set(timestamped, repository());
    hub.faults.push({ path: "/tree/main", kind: { status: 200 } });
    await expect(pull()).rejects.toMatchObject({
      message: expect.stringContaining("does not answer as a Hugging Face hub"),
    });
    hub.faults.push({ path: "/tree/main", kind: { status: 400 } });
    await expect(pull()).rejects.toMatchObject({ message: expect.stringContaining("answered 400") });
  });

  it("sends the token to the hub and never to its CDN", async () => {
    hub.repos.set(timestamped, repository());
    hub.token = "hf_secret";
    await pull({ env: { ...env, HF_TOKEN: "hf_secret" } });
    const sent = (server: string) =>
      new Set(hub.requests.filter((one) => one.server === server).map((one) => one.authorization));
    expect(sent("hub")).toEqual(new Set(["Bearer hf_secret"]));
    expect(sent("cdn")).toEqual(new Set([undefined]));
  });

  it("says how to get at a gated model", async () => {
    hub.repos.set(timestamped, repository());
    hub.gated.add(timestamped);
    hub.token = "hf_secret";
    await expect(pull()).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringMatching(/is gated: accept its terms at .*, then set HF_TOKEN/),
    });
  });

  it("says when the token is refused, or one is needed", async () => {
    hub.faults.push({ path: "/tree/main", kind: { status: 401 } });
    await expect(pull({ env: { ...env, HF_TOKEN: "old" } })).rejects.toThrow("check HF_TOKEN, it was refused");
    hub.faults.push({ path: "/tree/main", kind: { status: 403 } });
    await expect(pull()).rejects.toThrow("set HF_TOKEN");
  });

  it("asks for room on the disk before it fetches anything", async () => {
    hub.repos.set(timestamped, repository());
    hub.claimedBytes.set(encoder, 1e15);
    await expect(pull()).rejects.toMatchObject({
      code: "disk_full",
      message: expect.stringContaining("set EARSHOT_MODELS"),
    });
    expect(hub.requests.filter((one) => one.path.includes("/resolve/"))).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });

  it("says so when the disk is full in the middle", async () => {
    hub.repos.set(timestamped, repository());
    await mkdir(join(folder, "tiny/onnx"), { recursive: true });
    // Linux's always-full device stands for the disk.
    await symlink("/dev/full", join(folder, "tiny", `${encoder}.part`));
    await expect(pull()).rejects.toMatchObject({
      code: "disk_full",
      message: expect.stringContaining("is full: make room"),
    });
    expect(isModel()).toBe(false);
  });

  it("says so when the models folder cannot be written", async () => {
    hub.repos.set(timestamped, repository());
    await writeFile(join(folder, "file"), "");
    await expect(pull({ env: { ...env, EARSHOT_MODELS: join(folder, "file", "models") } })).rejects.toMatchObject({
      code: "not_writable",
    });
  });

  it("does not run twice at once", async () => {
    hub.repos.set(timestamped, repository());
    await mkdir(join(folder, "tiny"), { recursive: true });
    await writeFile(join(folder, "tiny/.lock"), String(process.pid));
    await expect(pull()).rejects.toThrow(`Process ${process.pid} is downloading tiny already`);
    await writeFile(join(folder, "tiny/.lock"), "999999999");
    await pull();
    expect(existsSync(join(folder, "tiny/.lock"))).toBe(false);
  });

  it("takes the files from a mirror folder instead", async () => {
    const mirror = join(folder, "mirror");
    for (const [path, content] of repository()) {
      await mkdir(join(mirror, plain, path, ".."), { recursive: true });
      await writeFile(join(mirror, plain, path), content);
    }
    const { path, repo } = await pull({ env: { EARSHOT_MODELS: join(folder, "a"), EARSHOT_MIRROR: mirror } });
    expect(repo).toBe(plain);
    expect((await readFile(join(path, decoder))).equals(await readFile(join(mirror, plain, decoder)))).toBe(true);
    await pull({ env: { EARSHOT_MODELS: join(folder, "b"), HF_ENDPOINT: `file://${mirror}` } });
    expect(await verifyModel("tiny", { EARSHOT_MODELS: join(folder, "b") })).toEqual({ files: 6, problems: [] });
    expect(hub.requests).toEqual([]);
  });

  it("refuses a name that is not in the catalog", async () => {
    await expect(
      pullModel("../tiny", { device: "cpu", signal: new AbortController().signal, env }),
    ).rejects.toMatchObject({
      code: "not_found",
    });
  });
});

describe("verifyModel", () => {
  it("names each file that is missing or changed", async () => {
    hub.repos.set(timestamped, repository());
    const { path } = await pull();
    await rm(join(path, "config.json"));
    await writeFile(join(path, "tokenizer.json"), randomBytes(20_000));
    const { problems } = await verifyModel("tiny", env);
    expect([...problems].sort()).toEqual([
      `${join(path, "config.json")} is missing.`,
      `${join(path, "tokenizer.json")} has the wrong checksum.`,
    ]);
  });

  it("says so when there is nothing to verify", async () => {
    await expect(verifyModel("tiny", env)).rejects.toMatchObject({ code: "model_missing" });
  });
});

describe("removeModel", () => {
  it("removes a model, and what a stopped download left", async () => {
    hub.repos.set(timestamped, repository());
    await pull();
    expect(await removeModel("tiny", env)).toBe(join(folder, "tiny"));
    await mkdir(join(folder, "base/onnx"), { recursive: true });
    await writeFile(join(folder, "base/onnx/a.part"), "");
    await removeModel("base", env);
    expect(await readdir(folder)).toEqual([]);
  });

  it("never touches anything but the catalog's names in the models folder", async () => {
    const outside = join(folder, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "earshot.json"), "{}");
    const inside = { EARSHOT_MODELS: join(folder, "models") };
    await mkdir(inside.EARSHOT_MODELS);
    for (const name of [outside, "../outside", ".", "demo", ""]) {
      await expect(removeModel(name, inside)).rejects.toMatchObject({ code: "not_found" });
    }
    await expect(removeModel("base", inside)).rejects.toMatchObject({ code: "not_found" });
    await symlink(outside, join(inside.EARSHOT_MODELS, "small"));
    await removeModel("small", inside);
    expect(await readdir(outside)).toEqual(["earshot.json"]);
  });
});
