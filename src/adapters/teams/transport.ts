// How calls reach the Bot Connector: one try each, and what it refuses or does not answer as PlatformError.
//
// botbuilder's own pipeline tries posts again after network errors and 5xx, where the first one may have arrived.
import type { ConfigurationBotFrameworkAuthentication } from "botbuilder";
import { PlatformError } from "../../core/errors.ts";
import { refusedBy, unanswered } from "./errors.ts";

type ConnectorOptions = NonNullable<ConstructorParameters<typeof ConfigurationBotFrameworkAuthentication>[4]>;
export type HttpClient = NonNullable<ConnectorOptions["httpClient"]>;
type Request = Parameters<HttpClient["sendRequest"]>[0];
type Answer = Awaited<ReturnType<HttpClient["sendRequest"]>>;

const CALL_MS = 30_000;

/** @param mayCall whether an address is the Bot Connector's: the app's token goes nowhere else */
export function createTransport(mayCall: (address: string) => boolean): HttpClient {
  return {
    async sendRequest(request: Request): Promise<Answer> {
      if (!mayCall(request.url)) {
        throw new PlatformError("rejected", "A conversation's address is none of the Bot Connector's.");
      }
      let response: Response;
      let body: string;
      try {
        response = await fetch(request.url, {
          method: request.method,
          headers: request.headers.rawHeaders(),
          ...(typeof request.body === "string" ? { body: request.body } : {}),
          redirect: "error",
          signal: AbortSignal.timeout(CALL_MS),
        });
        body = await response.text();
      } catch (error) {
        throw unanswered(error);
      }
      if (!response.ok) throw refusedBy(response, body);
      const headers = request.headers.clone();
      for (const { name } of headers.headersArray()) headers.remove(name);
      response.headers.forEach((value, name) => {
        headers.set(name, value);
      });
      return { request, status: response.status, headers, bodyAsText: body };
    },
  };
}
