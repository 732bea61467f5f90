// Discord's REST API through discord.js, which keeps its rate limits; and a stop before the invalid-request limit.
import { DefaultRestOptions, REST, RESTEvents, type RESTOptions } from "discord.js";
import { PlatformError } from "../../core/errors.ts";

export interface RestParts {
  readonly token: string;
  /** Base URLs of a local counterpart, in tests. */
  readonly api?: string;
  readonly cdn?: string;
  readonly now: () => number;
}

/** Waits longer than this are the queue's to keep, where other jobs can go on meanwhile. */
const LONGEST_WAIT_MS = 30_000;
/** Ref: Discord, "Invalid Request Limit": 10,000 answers of 401, 403 or 429 in 10 minutes shut the machine out. */
const INVALID_REQUESTS = 8000;
const COUNT_EVERY = 500;

/** One for the whole adapter: discord.js's client gets the same options, so that the pause holds for it too. */
export function createRest({ token, api, cdn, now }: RestParts): {
  readonly rest: REST;
  readonly options: Partial<RESTOptions>;
} {
  let pausedUntilMs = 0;
  const options: Partial<RESTOptions> = {
    version: "10",
    ...(api === undefined ? {} : { api }),
    ...(cdn === undefined ? {} : { cdn }),
    invalidRequestWarningInterval: COUNT_EVERY,
    rejectOnRateLimit: ({ retryAfter }) => retryAfter > LONGEST_WAIT_MS,
    makeRequest: async (url, init) => {
      const retryAfterMs = pausedUntilMs - now();
      if (retryAfterMs > 0) {
        throw new PlatformError("rate_limited", "Discord refused too many requests; Earshot pauses.", { retryAfterMs });
      }
      return DefaultRestOptions.makeRequest(url, init);
    },
  };
  const rest = new REST(options).setToken(token);
  rest.on(RESTEvents.InvalidRequestWarning, ({ count, remainingTime }) => {
    if (count >= INVALID_REQUESTS) pausedUntilMs = now() + remainingTime;
  });
  return { rest, options };
}
