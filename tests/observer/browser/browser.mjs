// SPDX-License-Identifier: BSL-1.0
//
// What the tests in a browser begin with: chromium, the folder of --shots, and the other words of the command line.
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

export const words = process.argv.slice(2);
const at = words.indexOf("--shots");
export const shots = at < 0 ? undefined : words.splice(at, 2)[1];
if (shots) mkdirSync(shots, { recursive: true });

export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
