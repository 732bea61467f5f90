// What Teams takes of a bot's messages, and what a person sees of them.
export type Json = Record<string, unknown>;

interface Attachment {
  readonly contentType: string;
  readonly content?: Json;
  readonly contentUrl?: string;
  readonly name?: string;
}

const CARD = "application/vnd.microsoft.card.adaptive";
const CONSENT = "application/vnd.microsoft.teams.card.file.consent";
const FILE = "application/vnd.microsoft.teams.card.file.info";
/** Ref: Teams, "Format your bot messages" */
const MOST_BYTES = 100 * 1024;

export function attachmentsOf(activity: Json): readonly Attachment[] {
  return (activity["attachments"] ?? []) as Attachment[];
}

/** undefined: Teams takes it. */
export function checkMessage(
  activity: Json,
  isPersonal: boolean,
): { readonly status: number; readonly code: string } | undefined {
  if (JSON.stringify(activity).length * 2 > MOST_BYTES) return { status: 413, code: "MessageSizeTooBig" };
  if (activity["type"] !== "message") return { status: 400, code: "BadSyntax" };
  const attachments = attachmentsOf(activity);
  if (attachments.length === 0 && !activity["text"]) return { status: 400, code: "BadSyntax" };
  for (const { contentType, content = {}, contentUrl, name } of attachments) {
    if (contentType === CARD) {
      const problem = cardProblem(content);
      if (problem !== undefined) return { status: 400, code: `BadArgument.${problem}` };
    } else if (contentType === CONSENT) {
      const { sizeInBytes, acceptContext, declineContext } = content;
      if (!isPersonal || !name || !(Number(sizeInBytes) >= 0) || !acceptContext || !declineContext) {
        return { status: 400, code: "BadArgument.Consent" };
      }
    } else if (contentType === FILE) {
      if (!contentUrl || !content["uniqueId"]) return { status: 400, code: "BadArgument.File" };
    } else return { status: 400, code: "BadArgument.ContentType" };
  }
  return undefined;
}

function cardProblem({ type, version, body = [], actions = [] }: Json): string | undefined {
  if (type !== "AdaptiveCard" || Number(version) > 1.5) return "Version";
  if ((body as Json[]).length + (actions as Json[]).length === 0) return "Empty";
  for (const element of body as Json[]) {
    if (element["type"] === "RichTextBlock") {
      const inlines = element["inlines"] as Json[];
      if (inlines.length === 0 || inlines.some((run) => run["type"] !== "TextRun" || !run["text"])) return "Inlines";
    } else if (element["type"] !== "TextBlock") return "Element";
  }
  const shown = (actions as Json[]).filter((action) => action["mode"] !== "secondary");
  return shown.length > 6 ? "Actions" : undefined;
}

/** All that a person reads, buttons included. */
export function textIn(activity: Json): string {
  const parts = attachmentsOf(activity).map(({ contentType, content = {}, name = "" }) =>
    contentType === CARD ? cardText(content) : name,
  );
  return [String(activity["text"] ?? ""), ...parts].filter((part) => part !== "").join("\n");
}

function cardText({ body = [], actions = [] }: Json): string {
  const lines = (body as Json[]).map((element) =>
    element["type"] === "TextBlock"
      ? String(element["text"])
      : ((element["inlines"] ?? []) as Json[]).map(({ text }) => text).join(""),
  );
  return [...lines, ...(actions as Json[]).map(({ title }) => title)].join("\n");
}

/** The data of a card's button, as it is submitted. */
export function buttonData(activity: Json, title: string): Json | undefined {
  const find = (actions: readonly Json[]): Json | undefined => {
    for (const action of actions) {
      if (action["type"] === "Action.ShowCard") {
        const inner = action["card"] as { actions?: Json[] };
        const found = find(inner.actions ?? []);
        if (found !== undefined) return found;
      } else if (action["title"] === title && action["type"] === "Action.Submit") return action["data"] as Json;
    }
    return undefined;
  };
  return find(attachmentsOf(activity).flatMap(({ content }) => (content?.["actions"] ?? []) as Json[]));
}

interface ShownFile {
  readonly name: string;
  readonly upload?: string;
  readonly url?: string;
}

/** Files that a message shows: by the upload that a person agreed to, or by a link. */
export function filesIn(activity: Json): ShownFile[] {
  return attachmentsOf(activity).flatMap(({ contentType, content = {}, name = "" }): ShownFile[] => {
    if (contentType === FILE) return [{ name, upload: String(content["uniqueId"]) }];
    const links = ((content["actions"] ?? []) as Json[]).filter(({ type }) => type === "Action.OpenUrl");
    return links.map(({ title, url }) => ({ name: String(title), url: String(url) }));
  });
}
