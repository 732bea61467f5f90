// Headless Chromium, where there is one.
import { existsSync } from "node:fs";
import process from "node:process";
import { type Browser, chromium } from "playwright-core";

const PATH = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";

/** False, and says so, where the page cannot be driven. */
export function hasBrowser(): boolean {
  const isThere = existsSync(PATH);
  if (!isThere)
    console.log(`No browser at ${PATH} (CHROMIUM_PATH): the page is not driven. Debian: apt-get install chromium`);
  return isThere;
}

/** Its microphone is a beep every second. */
export async function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: PATH,
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
      ...["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"],
    ],
  });
}
