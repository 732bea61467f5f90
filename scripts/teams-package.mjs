// Makes the app package for Teams: teams/manifest.json with this organization's ids, and both icons, in one zip.
// `npm run teams:package`, with TEAMS_APP_ID set; `npm run teams:package -- FOLDER` puts it there instead of into teams/.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { zipSync } from "fflate";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Ends with one sentence for each thing to mend. */
function stop(problems) {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exit(1);
}

function values(env) {
  const { TEAMS_APP_ID: id = "", TEAMS_ORGANIZATION: organization, TEAMS_PUBLIC_URL: publicUrl } = env;
  const website = env.TEAMS_WEBSITE || publicUrl || "https://www.example.com";
  const name = organization || "Your organization";
  const problems = [];
  if (!GUID.test(id)) {
    problems.push(
      `TEAMS_APP_ID ${id === "" ? "is missing" : "is no id"}: set it to the bot's application (client) id.`,
    );
  }
  if (!/^https:\/\/[^\s"]+$/.test(website)) problems.push("TEAMS_WEBSITE must begin with https://.");
  if (name.length > 32) problems.push("TEAMS_ORGANIZATION may have up to 32 signs.");
  if (problems.length > 0) stop(problems);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return { TEAMS_APP_ID: id.toLowerCase(), TEAMS_ORGANIZATION: name, TEAMS_WEBSITE: website, VERSION: version };
}

const told = values(process.env);
const template = readFileSync(join(root, "teams", "manifest.json"), "utf8");
const filled = template.replace(/\$\{(\w+)\}/g, (_, name) => JSON.stringify(told[name]).slice(1, -1));
const manifest = `${JSON.stringify(JSON.parse(filled), null, 2)}\n`;
const file = (name) => readFileSync(join(root, "teams", name));
const zip = zipSync(
  {
    "manifest.json": Buffer.from(manifest),
    "color.png": file("color.png"),
    "outline.png": file("outline.png"),
  },
  // The same package each time it is made of the same things.
  { mtime: new Date(2026, 0, 1) },
);
const folder = process.argv[2] ?? join(root, "teams");
mkdirSync(folder, { recursive: true });
const path = join(folder, "earshot-teams.zip");
writeFileSync(path, zip);
process.stdout.write(
  `${path}\nUpload it in Teams: Apps, Manage your apps, Upload an app. docs/teams.md goes on from there.\n`,
);
