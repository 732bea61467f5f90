// botbuilder's adapter as this gateway uses it: activities come in through `receive`, and go out to a conversation.
import {
  type Activity,
  ActivityTypes,
  CloudAdapter,
  ConfigurationBotFrameworkAuthentication,
  type ConversationParameters,
  type ConversationReference,
  type InvokeResponse,
  type TurnContext,
} from "botbuilder";
import { type BotHosts, isAt } from "./cloud.ts";
import type { Tokens } from "./graph/tokens.ts";
import { BadToken, createTokenCheck } from "./token.ts";
import { createTransport } from "./transport.ts";

export interface ConnectorOptions {
  /** undefined: nothing is signed, in either direction, as Microsoft's playground on this machine wants it. */
  readonly app: { readonly id: string; readonly tenant: string; readonly tokens: Tokens } | undefined;
  readonly hosts: BotHosts;
  readonly now: () => number;
}

export interface Connector {
  /** Runs `turn` when the sender has proved to be the Bot Connector. @throws BadToken, NoKeys, and what `turn` throws */
  receive(
    authorization: string,
    activity: Activity,
    turn: (activity: Activity) => Promise<InvokeResponse | undefined>,
  ): Promise<InvokeResponse | undefined>;
  /** Gives the id of the message. @throws PlatformError */
  send(to: ConversationReference, activity: Partial<Activity>): Promise<string>;
  /** @throws PlatformError */
  update(to: ConversationReference, id: string, activity: Partial<Activity>): Promise<void>;
  remove(to: ConversationReference, id: string): Promise<void>;
  /** A new conversation, such as with one person. @throws PlatformError forbidden, where the app is not installed */
  open(serviceUrl: string, parameters: ConversationParameters): Promise<ConversationReference>;
  /** botbuilder's context in a conversation, for what TeamsInfo asks. */
  within<Result>(to: ConversationReference, ask: (context: TurnContext) => Promise<Result>): Promise<Result>;
}

type Logic = (context: TurnContext) => Promise<void>;

/** Leaves out CloudAdapter's own handling of requests, which prints to the console and answers 500 to forgeries. */
class Adapter extends CloudAdapter {
  run(authorization: string, activity: Activity, logic: Logic): Promise<InvokeResponse | undefined> {
    return this.processActivity(authorization, activity, logic);
  }
}

const CHANNEL = "msteams";

export function createConnector({ app, hosts, now }: ConnectorOptions): Connector {
  const appId = app?.id ?? "";
  const tokenCheck =
    app && createTokenCheck({ appId, tenant: app.tenant, issuer: hosts.issuer, openId: hosts.openId, now });
  const transport = createTransport((address) => isAt(address, hosts.connectors));
  const adapter = new Adapter(
    new ConfigurationBotFrameworkAuthentication(
      {
        ToChannelFromBotLoginUrl: `${hosts.login}/${app?.tenant ?? "botframework.com"}`,
        ToChannelFromBotOAuthScope: hosts.issuer,
        ToBotFromChannelTokenIssuer: hosts.issuer,
        ToBotFromChannelOpenIdMetadataUrl: hosts.openId,
        ToBotFromEmulatorOpenIdMetadataUrl: hosts.openId,
        OAuthUrl: hosts.issuer,
        CallerId: "",
        ValidateAuthority: "true",
      },
      {
        isValidAppId: async (id) => id === appId,
        isAuthenticationDisabled: async () => app === undefined,
        createCredentials: async () => ({
          async signRequest(request) {
            if (app !== undefined) request.headers.set("authorization", `Bearer ${await app.tokens.bearer()}`);
            return request;
          },
        }),
      },
      undefined,
      undefined,
      { httpClient: transport },
    ),
  );

  function within<Result>(to: ConversationReference, ask: (context: TurnContext) => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      adapter.continueConversationAsync(appId, to, async (context) => resolve(await ask(context))).catch(reject);
    });
  }

  return {
    within,

    async receive(authorization, activity, turn) {
      await tokenCheck?.verify(authorization, { channelId: CHANNEL, serviceUrl: activity.serviceUrl });
      let hasBegun = false;
      try {
        return await adapter.run(tokenCheck === undefined ? "" : authorization, activity, async (context) => {
          hasBegun = true;
          const response = await turn(activity);
          if (response !== undefined) {
            await context.sendActivity({ type: ActivityTypes.InvokeResponse, value: response });
          }
        });
      } catch (error) {
        // botbuilder's own check has the last word; both have to agree.
        throw hasBegun ? error : new BadToken("refused by botbuilder", { cause: error });
      }
    },

    send: (to, activity) =>
      within(to, async (context) => {
        // What a sent activity answers is the id of the one that the context is of.
        Object.assign(context.activity, { id: to.activityId });
        const sent = await context.sendActivity(activity);
        return sent?.id ?? "";
      }),

    async update(to, id, activity) {
      await within(to, (context) => context.updateActivity({ ...activity, id }));
    },

    async remove(to, id) {
      await within(to, (context) => context.deleteActivity(id));
    },

    open: (serviceUrl, parameters) =>
      new Promise((resolve, reject) => {
        adapter
          .createConversationAsync(appId, CHANNEL, serviceUrl, hosts.issuer, parameters, async (context) => {
            const { conversation, recipient } = context.activity;
            resolve({ serviceUrl, channelId: CHANNEL, conversation, bot: recipient } as ConversationReference);
          })
          .catch(reject);
      }),
  };
}
