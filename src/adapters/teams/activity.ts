// The parts of an activity that are read here, each taken only when it has the shape that it should have.
import type { Activity } from "botbuilder";

export type Json = Readonly<Record<string, unknown>>;

export function record(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(record) : [];
}

/** The body of a request, once it is one that can be worked on. The message is for the sender. */
export class BadActivity extends Error {
  override readonly name = "BadActivity";
}

/** An activity of another tenant than the one that is served, or of none. */
export class ForeignTenant extends Error {
  override readonly name = "ForeignTenant";
}

const TYPE = /^[A-Za-z]{1,40}$/;

/** What every activity of Teams has. @throws BadActivity */
export function readActivity(body: unknown): Activity {
  const told = record(body);
  const conversation = record(told["conversation"]);
  const needed = {
    type: text(told["type"]),
    channelId: text(told["channelId"]),
    serviceUrl: text(told["serviceUrl"]),
    "conversation.id": text(conversation["id"]),
    "from.id": text(record(told["from"])["id"]),
    "recipient.id": text(record(told["recipient"])["id"]),
  };
  for (const [name, value] of Object.entries(needed)) {
    if (value === undefined) throw new BadActivity(`The activity has no ${name}.`);
  }
  if (!TYPE.test(needed.type ?? "")) throw new BadActivity("The activity is of no known type.");
  if (needed.channelId !== "msteams") throw new BadActivity("The activity is not of Teams.");
  const words = Object.fromEntries(WORDS.map((name) => [name, text(told[name])]));
  const people = { from: person(told["from"]), recipient: person(told["recipient"]) };
  return { ...told, ...words, ...people, conversation } as unknown as Activity;
}

/** Whatever else is said there is none of these. */
const WORDS = ["id", "text", "name", "replyToId", "action"] as const;

function person(value: unknown): Json {
  const { id, name, aadObjectId } = record(value);
  const user = text(aadObjectId);
  return { id: text(id), name: text(name) ?? "", ...(user === undefined ? {} : { aadObjectId: user }) };
}

/** The tenants that an activity names, each once. */
export function tenantsOf(activity: Activity): readonly string[] {
  const named = [
    text(record(record(activity.channelData)["tenant"])["id"]),
    text(record(activity.conversation)["tenantId"]),
  ];
  return [...new Set(named.filter((tenant) => tenant !== undefined))];
}

/** @throws ForeignTenant */
export function requireTenant(activity: Activity, tenant: string): void {
  const [own, ...others] = tenantsOf(activity);
  if (own?.toLowerCase() !== tenant.toLowerCase() || others.length > 0) {
    throw new ForeignTenant("Earshot serves another organization.");
  }
}
