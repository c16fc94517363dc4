// SPDX-License-Identifier: BSL-1.0
//
// node check_site.mjs [--shots <folder>] <site>
//
// Opens every page of a site of files in chromium. Nothing may be missing that a page wants, its links must lead to
// pages and anchors that exist, its console must be empty, nothing may be wider than its place, and its navigation and
// its search must find what a reader looks for.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { browser, shots, words } from "./browser.mjs";

const site = words[0];
const base = pathToFileURL(site).href;

const faults = [];
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, colorScheme: "light", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000); // of a machine that others share
  // The navigation unfolds at once, which takes half the time.
  await page.addInitScript(() => document.addEventListener("DOMContentLoaded", () => { if (window.jQuery) window.jQuery.fx.off = true; }, true));
  const fault = (text) => faults.push(`${page.url().split("/").pop()}: ${text}`);
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) fault(`console: ${m.text()}`); });
  page.on("pageerror", (e) => fault(`exception: ${e.stack}`));
  page.on("requestfailed", (r) => { if (r.failure()?.errorText !== "net::ERR_ABORTED") fault(`not loaded: ${r.url()}`); }); // the next page was opened
  page.on("request", (r) => { if (!r.url().startsWith(base) && !/^(data|about):/.test(r.url())) fault(`outside request: ${r.url()}`); });
  return page;
}

// All that is looked at in a page, in one call.
const look = () => {
  const content = document.querySelector("#doc-content");
  return {
    title: document.title,
    anchors: [...document.querySelectorAll("[id], a[name]")].map((one) => one.id || one.name),
    links: [...document.querySelectorAll("a[href]")].map((one) => one.href),
    tooWide: content && content.scrollWidth > content.clientWidth + 1 ? content.scrollWidth - content.clientWidth : 0,
    wideTables: [...document.querySelectorAll("table.markdownTable")].filter((one) => one.scrollWidth > one.clientWidth + 1).length,
    shown: document.querySelector("div.title")?.textContent.trim(),
  };
};

const began = performance.now();
const names = readdirSync(site).filter((name) => name.endsWith(".html")).sort();
const pages = new Map();
// Those of classes differ in nothing but their text: most of them are opened without scripts, which takes half as long.
const isPlain = (name, at) => /^(class|struct|concept)/.test(name) && at % 10 !== 0;
const scripted = names.filter((name, at) => !isPlain(name, at));
const plain = names.filter(isPlain);
await Promise.all([[scripted, true], [scripted, true], [plain, false]].map(async ([waiting, javaScriptEnabled]) => {
  const page = await open({ javaScriptEnabled });
  for (let name; (name = waiting.pop()); ) {
    await page.goto(`${base}/${name}`);
    pages.set(name, await page.evaluate(look));
  }
  await page.context().close();
}));

let links = 0;
for (const [name, page] of pages) {
  if (page.tooWide) faults.push(`${name}: its content is ${page.tooWide} pixels wider than its place`);
  if (page.wideTables) faults.push(`${name}: ${page.wideTables} tables do not fit`);
  if (/\.(hpp|md)\b/.test(page.title) && !name.endsWith("-example.html")) faults.push(`${name}: is called ${page.title}`);
  if (!page.shown) faults.push(`${name}: shows no title`);
  for (const link of new Set(page.links)) {
    if (!URL.canParse(link)) { faults.push(`${name}: ${link} is no link`); continue; }
    const url = new URL(link);
    if (url.protocol !== "file:") continue;
    links += 1;
    const path = decodeURIComponent(url.href.slice(base.length + 1).replace(/[?#].*/, ""));
    const anchor = decodeURIComponent(url.hash.slice(1));
    if (!link.startsWith(base) || !existsSync(join(site, path || name))) faults.push(`${name}: ${link} leads nowhere`);
    else if (anchor && pages.has(path || name) && !pages.get(path || name).anchors.includes(anchor)) faults.push(`${name}: ${path} has no anchor ${anchor}`);
  }
}

// What a reader does: the navigation, and the search.
const page = await open();
await page.goto(`${base}/index.html`);
const shown = page.locator("#nav-tree-contents a");
await shown.getByText("Learn", { exact: true }).waitFor();
const entries = (await shown.allTextContents()).map((one) => one.trim()).filter((one) => one);
assert.deepEqual(entries.filter((one) => /\.(hpp|md)$/.test(one)), [], "the navigation shows files");
assert.ok(entries.indexOf("Learn") < entries.indexOf("Reference"), `guides come first: ${entries}`);
await page.locator("#MSearchField").click();
await page.locator("#MSearchField").pressSequentially("call_for");
const found = page.frameLocator("#MSearchResults").getByText("call_for", { exact: true }).or(page.locator("#MSearchResultsWindow").getByText("call_for", { exact: true }));
await found.first().waitFor();

if (shots) {
  const wanted = [
    ["overview", "index.html", "light"], ["guide", "guide.html", "dark"], ["call", "group__call.html", "light"],
    ["architecture", "architecture.html", "dark"], ["narrow", "errors.html", "light"],
  ];
  for (const [name, path, colorScheme] of wanted) {
    const viewport = name === "narrow" ? { width: 420, height: 860 } : { width: 1360, height: 1000 };
    const one = await open({ colorScheme, viewport });
    await one.goto(`${base}/${path}`);
    await one.screenshot({ path: join(shots, `${name}-${colorScheme}.png`) });
    await one.context().close();
  }
}
await browser.close();
for (const fault of faults) console.log(fault);
console.log(`${pages.size} pages, ${links} links, ${faults.length} faults, ${Math.round(performance.now() - began)} ms`);
process.exit(faults.length ? 1 : 0);
