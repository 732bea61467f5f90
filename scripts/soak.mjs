// The long proofs, of which `npm test` runs a little: npm run soak, or one of them: npm run soak -- kills. Their figures
// stand in docs/reliability.md.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Each with the variable that asks for more, and how much more. */
const SOAKS = [
  ["test/inference/media-soak.test.ts", "EARSHOT_SOAK_FILES", "10000"],
  ["test/inference/observed.test.ts", "EARSHOT_OBSERVED_FILES", "200"],
  ["test/kills.test.ts", "EARSHOT_SOAK_KILLS", "200"],
];

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const [wanted = ""] = process.argv.slice(2);
let failed = 0;
for (const [test, variable, amount] of SOAKS.filter(([file]) => existsSync(file) && file.includes(wanted))) {
  const { [variable]: asked = amount } = process.env;
  const { status } = spawnSync(process.execPath, ["node_modules/vitest/vitest.mjs", "run", test], {
    env: { ...process.env, [variable]: asked },
    stdio: "inherit",
  });
  if (status !== 0) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
