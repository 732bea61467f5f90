// Why there is no pool, in a sentence that says what to do.
import { JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";
import {
  AuthorizationError,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
  UserAuthenticationExpiredError,
} from "@nats-io/transport-node";

export interface Trouble {
  readonly sentence: string;
  /** Waiting may help with a server that is away, and not with one that refuses us, or something to us. */
  readonly kind: "away" | "refused" | "rights";
}

/** @param where the servers, without a user */
export function explain(error: unknown, where: string): Trouble {
  const root = rootOf(error);
  const is = (kind: new (...args: never[]) => Error) => error instanceof kind || root instanceof kind;
  const refused = (sentence: string): Trouble => ({ sentence, kind: "refused" });
  if (is(AuthorizationError)) {
    return refused(`The NATS server at ${where} refuses this user: correct EARSHOT_NATS_CREDS or the user in the URL.`);
  }
  if (is(UserAuthenticationExpiredError)) {
    return refused(`The NATS server at ${where} says that this user has expired: renew EARSHOT_NATS_CREDS.`);
  }
  if (error instanceof PoolNotReady) return { sentence: error.message, kind: "away" };
  const violation = [error, root].find((one) => one instanceof PermissionViolationError);
  if (violation !== undefined) {
    const { operation, subject } = violation;
    const sentence = `The NATS server at ${where} does not let this user ${operation} ${subject}: see docs/pool.md.`;
    return { sentence, kind: "rights" };
  }
  if (isWithoutJetStream(error)) {
    return refused(
      `The NATS server at ${where} keeps nothing: switch JetStream on in its configuration ` +
        `(jetstream { store_dir: … }), for this account too, and start it again.`,
    );
  }
  if (error instanceof JetStreamApiError && error.status !== 503) {
    const remedy = REMEDIES[error.code] ?? "see docs/pool.md";
    return refused(`The NATS server at ${where} cannot hold the pool (${error.message}): ${remedy}.`);
  }
  const code = codeOf(root) ?? codeOf(error);
  if (code !== undefined && /CERT|SSL|TLS|SELF_SIGNED|ALTNAME/.test(code)) {
    return refused(
      `The certificate of the NATS server at ${where} is not trusted (${code}): name the one that signed it with ` +
        `EARSHOT_NATS_CA.`,
    );
  }
  const why = code ?? (error instanceof Error ? error.message : String(error));
  const sentence = `The NATS server at ${where} cannot be reached (${why}): trying again until it answers.`;
  return { sentence, kind: "away" };
}

const NO_ROOM = "raise max_file_store in its configuration, or lower EARSHOT_NATS_MEGABYTES";
/** By the server's own error codes. */
const REMEDIES: Readonly<Record<number, string>> = {
  10023: NO_ROOM,
  10047: NO_ROOM,
  10074: "EARSHOT_NATS_REPLICAS above 1 needs a cluster of as many servers",
  10005: "EARSHOT_NATS_REPLICAS needs as many servers in the cluster",
};

/** The server is there, and the pool in it is not. */
export class PoolNotReady extends Error {
  override readonly name = "PoolNotReady";
}

export function isWithoutJetStream(error: unknown): boolean {
  // The library's own class of this name is not exported.
  if (error instanceof Error && error.name === "JetStreamNotEnabled") return true;
  if (error instanceof JetStreamApiError) return error.code === JetStreamApiCodes.JetStreamNotEnabledForAccount;
  return error instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders());
}

function rootOf(error: unknown): unknown {
  let root = error;
  while (root instanceof Error && root.cause !== undefined) root = root.cause;
  return root;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
