// Glossaries of channels and workspaces: terms, replacement pairs and prompts.
import type { Glossary, ReplacementPair, Term } from "../core/glossary.ts";
import type { GlossaryStore, Level } from "../core/ports.ts";
import { writeAudit } from "./audit.ts";
import type { Database } from "./database.ts";
import { WORKSPACE } from "./settings.ts";
import { statements } from "./statements.ts";

interface TermRow {
  readonly text: string;
  readonly sounds_like: string;
  readonly uses: number;
}

export function createGlossaryStore(database: Database, now: () => number): GlossaryStore {
  const prepare = statements(database);
  const WHERE = "WHERE platform = ? AND workspace = ? AND channel = ?";

  function termsOf(key: readonly string[], level: Level): Term[] {
    const rows = prepare<TermRow>(`SELECT text, sounds_like, uses FROM terms ${WHERE} ORDER BY position`).all(...key);
    return rows.map(({ text, sounds_like, uses }) => ({ text, soundsLike: JSON.parse(sounds_like), level, uses }));
  }

  function pairsOf(key: readonly string[], level: Level): ReplacementPair[] {
    const rows = prepare<{ wrong: string; right: string }>(`SELECT wrong, right FROM pairs ${WHERE} ORDER BY folded`);
    return rows.all(...key).map((row) => ({ ...row, level }));
  }

  function promptOf(key: readonly string[]): string | undefined {
    return prepare<{ text: string }>(`SELECT text FROM prompts ${WHERE}`).get(...key)?.text;
  }

  const change = database.transaction((...[scope, level, asked, by]: Parameters<GlossaryStore["change"]>) => {
    const channel = level === "workspace" ? WORKSPACE : scope.channel;
    const key = [scope.platform, scope.workspace, channel];
    switch (asked.kind) {
      case "add": {
        const { next = 0 } =
          prepare<{ next: number }>(`SELECT COALESCE(MAX(position), 0) + 1 AS next FROM terms ${WHERE}`).get(...key) ??
          {};
        for (const [index, { text, soundsLike }] of asked.terms.entries()) {
          prepare(
            `INSERT INTO terms (platform, workspace, channel, folded, text, sounds_like, position) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET text = excluded.text, sounds_like = excluded.sounds_like`,
          ).run(...key, fold(text), text, JSON.stringify(soundsLike), next + index);
        }
        break;
      }
      case "remove":
        for (const text of asked.terms) prepare(`DELETE FROM terms ${WHERE} AND folded = ?`).run(...key, fold(text));
        break;
      case "pairs":
        for (const wrong of asked.remove) prepare(`DELETE FROM pairs ${WHERE} AND folded = ?`).run(...key, fold(wrong));
        for (const { wrong, right } of asked.add) {
          prepare(
            `INSERT INTO pairs (platform, workspace, channel, folded, wrong, right) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET wrong = excluded.wrong, right = excluded.right`,
          ).run(...key, fold(wrong), wrong, right);
        }
        break;
      case "prompt":
        if (asked.text === "") prepare(`DELETE FROM prompts ${WHERE}`).run(...key);
        else {
          prepare(
            `INSERT INTO prompts (platform, workspace, channel, text) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET text = excluded.text`,
          ).run(...key, asked.text);
        }
        break;
      case "used":
        // Found in a transcript of this channel: counts for the channel's term and for the workspace's.
        for (const text of asked.terms) {
          prepare(
            "UPDATE terms SET uses = uses + 1 WHERE platform = ? AND workspace = ? AND channel IN (?, '') AND folded = ?",
          ).run(...key, fold(text));
        }
        return;
      default:
        asked satisfies never;
    }
    writeAudit(prepare, { atMs: now(), actor: by, scope: { ...scope, channel }, deed: `glossary ${asked.kind}` });
  });

  return {
    async of({ platform, workspace, channel }): Promise<Glossary> {
      const own = [platform, workspace, channel];
      const shared = [platform, workspace, WORKSPACE];
      const terms = termsOf(own, "channel");
      const pairs = pairsOf(own, "channel");
      const ownTerms = new Set(terms.map(({ text }) => fold(text)));
      const ownPairs = new Set(pairs.map(({ wrong }) => fold(wrong)));
      return {
        terms: [...terms, ...termsOf(shared, "workspace").filter(({ text }) => !ownTerms.has(fold(text)))],
        pairs: [...pairs, ...pairsOf(shared, "workspace").filter(({ wrong }) => !ownPairs.has(fold(wrong)))],
        prompt: promptOf(own) ?? promptOf(shared) ?? "",
      };
    },
    change: async (...args) => change.immediate(...args),
  };
}

function fold(text: string): string {
  return text.normalize("NFC").toLowerCase();
}
