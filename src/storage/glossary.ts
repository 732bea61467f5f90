// The glossaries of workspaces and channels: terms, replacement pairs, free prompts.
import type { Glossary, GlossaryChange, ReplacementPair, Term } from "../core/glossary.ts";
import type { GlossaryStore, Level } from "../core/ports.ts";
import type { Scope } from "../core/recording.ts";
import { createAudit } from "./audit.ts";
import type { Database } from "./database.ts";

/** Platform, workspace, and the channel or "" for the whole workspace. */
type Owner = [string, string, string];

interface TermRow {
  readonly term_key: string;
  readonly text: string;
  readonly sounds_like: string;
  readonly uses: number;
}

interface PairRow {
  readonly wrong_key: string;
  readonly wrong: string;
  readonly right: string;
}

export function createGlossaryStore(database: Database): GlossaryStore {
  const audit = createAudit(database);
  const ownedBy = "platform = ? AND workspace = ? AND channel = ?";
  const terms = database.prepare<Owner, TermRow>(
    `SELECT term_key, text, sounds_like, uses FROM glossary_terms WHERE ${ownedBy} ORDER BY number`,
  );
  const pairs = database.prepare<Owner, PairRow>(
    `SELECT wrong_key, wrong, "right" FROM glossary_pairs WHERE ${ownedBy} ORDER BY number`,
  );
  const prompt = database.prepare<Owner, { text: string }>(`SELECT text FROM glossary_prompts WHERE ${ownedBy}`);
  const putTerm = database.prepare<[...Owner, string, string, string]>(
    `INSERT INTO glossary_terms (platform, workspace, channel, term_key, text, sounds_like) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET text = excluded.text, sounds_like = excluded.sounds_like`,
  );
  const putPair = database.prepare<[...Owner, string, string, string]>(
    `INSERT INTO glossary_pairs (platform, workspace, channel, wrong_key, wrong, "right") VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET wrong = excluded.wrong, "right" = excluded."right"`,
  );
  const putPrompt = database.prepare<[...Owner, string]>(
    "INSERT OR REPLACE INTO glossary_prompts (platform, workspace, channel, text) VALUES (?, ?, ?, ?)",
  );
  const dropTerm = database.prepare<[...Owner, string]>(`DELETE FROM glossary_terms WHERE ${ownedBy} AND term_key = ?`);
  const dropPair = database.prepare<[...Owner, string]>(
    `DELETE FROM glossary_pairs WHERE ${ownedBy} AND wrong_key = ?`,
  );
  const dropPrompt = database.prepare<Owner>(`DELETE FROM glossary_prompts WHERE ${ownedBy}`);
  const countUse = database.prepare<[...Owner, string]>(
    `UPDATE glossary_terms SET uses = uses + 1 WHERE ${ownedBy} AND term_key = ?`,
  );

  function addTerms(owner: Owner, added: readonly Pick<Term, "text" | "soundsLike">[]): void {
    const known = new Map(terms.all(...owner).map((row) => [row.term_key, row.sounds_like]));
    for (const { text, soundsLike } of added) {
      const key = keyOf(text);
      const before: readonly string[] = JSON.parse(known.get(key) ?? "[]");
      const forms = new Map([...before, ...soundsLike].map((form) => [keyOf(form), form]));
      const written = JSON.stringify([...forms.values()]);
      putTerm.run(...owner, key, text, written);
      known.set(key, written);
    }
  }

  function apply(scope: Scope, owner: Owner, change: GlossaryChange): string | undefined {
    switch (change.kind) {
      case "add":
        addTerms(owner, change.terms);
        return `terms, ${change.terms.length} added`;
      case "remove":
        for (const text of change.terms) dropTerm.run(...owner, keyOf(text));
        return `terms, ${change.terms.length} removed`;
      case "pairs":
        for (const wrong of change.remove) dropPair.run(...owner, keyOf(wrong));
        for (const { wrong, right } of change.add) putPair.run(...owner, keyOf(wrong), wrong, right);
        return `pairs, ${change.add.length} added, ${change.remove.length} removed`;
      case "prompt":
        if (change.text.trim() === "") dropPrompt.run(...owner);
        else putPrompt.run(...owner, change.text);
        return change.text.trim() === "" ? "prompt removed" : "prompt set";
      case "used":
        // A term counts where it comes from: the channel's own, else the workspace's.
        for (const key of new Set(change.terms.map(keyOf))) {
          const { changes } = countUse.run(...ownerOf(scope, "channel"), key);
          if (changes === 0) countUse.run(...ownerOf(scope, "workspace"), key);
        }
        return undefined;
      default:
        return change satisfies never;
    }
  }

  return {
    /** A channel's term, pair or prompt stands in place of the workspace's same one. */
    async of(scope): Promise<Glossary> {
      return database.read(() => {
        const owners = (["channel", "workspace"] as const).map((level) => [level, ownerOf(scope, level)] as const);
        const byTerm = new Map<string, Term>();
        const byWrong = new Map<string, ReplacementPair>();
        for (const [level, owner] of owners) {
          for (const { term_key: key, text, sounds_like, uses } of terms.all(...owner)) {
            if (!byTerm.has(key)) byTerm.set(key, { text, soundsLike: JSON.parse(sounds_like), level, uses });
          }
          for (const { wrong_key: key, wrong, right } of pairs.all(...owner)) {
            if (!byWrong.has(key)) byWrong.set(key, { wrong, right, level });
          }
        }
        const [own, shared] = owners.map(([, owner]) => prompt.get(...owner)?.text);
        return { terms: [...byTerm.values()], pairs: [...byWrong.values()], prompt: own ?? shared ?? "" };
      });
    },

    async change(scope, level, change, by) {
      const owner = ownerOf(scope, level);
      database.write(() => {
        const what = apply(scope, owner, change);
        if (what === undefined) return;
        const [, workspace, channel] = owner;
        audit.write({ by, platform: scope.platform, workspace, channel, what: `glossary: ${what}` });
      });
    },
  };
}

function ownerOf({ platform, workspace, channel }: Scope, level: Level): Owner {
  return [platform, workspace, level === "workspace" ? "" : channel];
}

function keyOf(text: string): string {
  return text.normalize("NFC").trim().toLowerCase();
}
