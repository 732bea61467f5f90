// The options by which a command reaches the pool's NATS servers; the environment stands in for those left out.
import type { NatsSettings } from "../inference/pool/server-options.ts";
import type { ValuesOf } from "./arguments.ts";
import type { Io } from "./io.ts";
import { text } from "./kinds.ts";

const group = "Pool";
const path = text("FILE", "a file");

export const NATS_OPTIONS = {
  nats: {
    group,
    kind: text("URL", "the address of a NATS server"),
    fallback: "",
    fallbackText: "EARSHOT_NATS",
    help: "nats://host:4222, or tls://…; several of one cluster with commas",
  },
  creds: {
    group,
    kind: path,
    fallback: "",
    fallbackText: "EARSHOT_NATS_CREDS",
    help: ".creds file, or a file with an NKey's seed",
  },
  ca: {
    group,
    kind: path,
    fallback: "",
    fallbackText: "EARSHOT_NATS_CA",
    help: "certificate that the server's is signed with",
  },
  cert: {
    group,
    kind: path,
    fallback: "",
    fallbackText: "EARSHOT_NATS_CERT",
    help: "our own certificate, where it is asked for",
  },
  key: { group, kind: path, fallback: "", fallbackText: "EARSHOT_NATS_KEY", help: "its key" },
};

/** Undefined: no server is named. */
export function natsSettings(values: ValuesOf<typeof NATS_OPTIONS>, env: Io["env"]): NatsSettings | undefined {
  const servers = (values.nats || env["EARSHOT_NATS"] || "").split(",").filter(Boolean);
  if (servers.length === 0) return undefined;
  const paths = {
    credentialsPath: values.creds || env["EARSHOT_NATS_CREDS"],
    caPath: values.ca || env["EARSHOT_NATS_CA"],
    certPath: values.cert || env["EARSHOT_NATS_CERT"],
    keyPath: values.key || env["EARSHOT_NATS_KEY"],
  };
  return { servers, ...Object.fromEntries(Object.entries(paths).filter(([, value]) => value)) };
}
