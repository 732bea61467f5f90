// Takes the pictures of the playground in docs/: light, dark, and on a phone. Needs Chromium and a built Earshot.
// node scripts/playground-pictures.mjs [FOLDER]
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = process.argv[2] ?? join(root, "docs");
const data = mkdtempSync(join(tmpdir(), "earshot-pictures-"));
const gateway = spawn(
  process.execPath,
  [join(root, "dist", "main.js"), "start", "--port", "0", "--log-level", "silent"],
  {
    env: { ...process.env, EARSHOT_DATA: data },
    stdio: ["ignore", "pipe", "inherit"],
  },
);
const url = await new Promise((resolve, reject) => {
  let text = "";
  gateway.stdout.on("data", (chunk) => {
    text += chunk;
    const found = /http:\/\/\S+/.exec(text);
    if (found) resolve(found[0]);
  });
  gateway.on("exit", () => reject(new Error(`The gateway ended: ${text}`)));
});

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});

async function picture(name, options, act) {
  const page = await browser.newPage(options);
  await page.goto(`${url}/#standup`);
  await page.locator("#title").waitFor();
  await act?.(page);
  await page.screenshot({ path: join(folder, `playground-${name}.png`) });
  await page.close();
}

try {
  const wide = { viewport: { width: 1280, height: 800 } };
  await picture("light", { ...wide, colorScheme: "light" }, async (page) => {
    await page.getByRole("button", { name: "a stand-up", exact: true }).click();
    await page.locator(".card").waitFor();
    await page.getByRole("button", { name: "Words of this channel" }).click();
    for (const term of ["Qavylow", "Xamoetee"]) {
      await page.getByLabel("Add a word").fill(term);
      await page.getByRole("button", { name: "Add", exact: true }).click();
      await page.locator("#terms li", { hasText: term }).waitFor();
    }
    await page.getByRole("button", { name: "Try again with these words" }).click();
    await page.locator(".note.changed").waitFor();
    await page.waitForTimeout(400);
  });
  await picture("dark", { ...wide, colorScheme: "dark" });
  await picture("phone", { viewport: { width: 390, height: 780 }, colorScheme: "light" });
} finally {
  await browser.close();
  gateway.kill("SIGTERM");
  await new Promise((resolve) => gateway.on("exit", resolve));
  rmSync(data, { recursive: true, force: true });
}
