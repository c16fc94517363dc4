// SPDX-License-Identifier: BSL-1.0
//
// node check.mjs [--big] [--shots <folder>] <url>
//
// Tests the page of a running observer in chromium. The program has the cast of examples/observer.cpp, or is
// mock_observer: a supervisor "main", one of whose children crashes every few seconds, one is stuck, the queue of one
// grows, and two wait for each other. --big: there are 10^5 processes, and only the times and amounts are tested.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { browser, shots, words } from "./browser.mjs";

const big = words.includes("--big");
const base = words.filter((word) => word !== "--big")[0].replace(/\/$/, "");

const axe = createRequire(import.meta.url)("axe-core").source;
const most = 100_000; // bytes that the page may read in a second

// Whatever any page does wrong, in any test.
const faults = [];
const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, colorScheme: "light" });
let read = 0, expectErrors = false;
context.on("page", (page) => {
  page.on("console", (m) => { if (["error", "warning"].includes(m.type()) && !(expectErrors && /Failed to load/.test(m.text()))) faults.push(`console: ${m.text()}`); });
  page.on("pageerror", (e) => faults.push(`exception: ${e.stack}`));
  page.on("dialog", (d) => { faults.push(`dialog: ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => { if (!r.url().startsWith(base + "/") && !/^(data|about):/.test(r.url())) faults.push(`outside request: ${r.url()}`); });
  page.on("requestfinished", async (r) => { const sizes = await r.sizes().catch(() => null); if (sizes) read += sizes.responseBodySize + sizes.responseHeadersSize; });
});

let failed = 0;
async function test(name, body) {
  const began = performance.now();
  let result = "ok    ";
  try {
    await body();
    assert.deepEqual(faults.splice(0), []);
  } catch (error) {
    failed += 1;
    result = "FAILED";
    console.log(String(error.stack ?? error), ...faults.splice(0));
  }
  console.log(`${result} ${name} (${Math.round(performance.now() - began)} ms)`);
}

const page = await context.newPage();
page.setDefaultTimeout(12_000); // the worker crashes every few seconds
const open = async (hash, on = page) => {
  await on.goto("about:blank");
  await on.goto(`${base}/#/${hash}`);
};
const api = async (path) => (await page.request.get(`${base}/api/v1/${path}`)).json();
const rows = () => page.locator("tbody tr[data-id]");
const column = (n) => rows().evaluateAll((all, n) => all.map((row) => row.cells[n].textContent), n);
const item = (name) => page.locator("[role=treeitem]").filter({ has: page.locator(`xpath=./div//a[normalize-space()="${name}"]`) });
const ticks = async (n, on = page) => { for (; n > 0; n--) await on.waitForResponse((r) => r.url().endsWith("/tick")); };

// Repeats what asserts something of the page until it holds.
async function eventually(body) {
  for (const began = performance.now(); ; await page.waitForTimeout(50)) {
    try {
      return await body();
    } catch (error) {
      if (performance.now() - began > 5000) throw error;
    }
  }
}

// Has the page ask for these processes.
const asks = (query) => page.waitForResponse((r) => {
  const q = new URL(r.url()).searchParams;
  return r.url().includes("/processes?") && Object.entries(query).every(([key, value]) => q.get(key) === String(value));
});

async function violations(colorScheme) { // the second color scheme differs by its contrast only
  const runOnly = colorScheme === "light" ? ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] : ["color-contrast"];
  const result = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly, resultTypes: ["violations"] }), runOnly);
  return result.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html + " " + n.failureSummary).join(" | ")}`);
}

async function everyView(visit) { // in one page, as somebody who clicks
  const stuck = (await api("processes?q=is:stuck&n=1")).rows[0];
  await open("crashes");
  for (const [name, hash, title] of [["overview", "", "Overview"], ["tree", "tree", "Tree"], ["processes", "processes?sort=queue&order=desc&n=25", "Processes"],
    ["process", `process/${stuck.id}`, stuck.name], ["crashes", "crashes", "Crashes"]]) {
    await page.evaluate((hash) => { location.hash = "/" + hash; }, hash);
    await page.waitForFunction((title) => document.title.startsWith(title) && document.querySelector(".card"), title);
    await visit(name);
  }
}

if (!big) {
  // A program at which nobody has looked before does not know at once who is stuck.
  for (let i = 0; i < 50 && !(await api("tick")).lints.some((lint) => lint.kind === "deadlock"); ++i) await new Promise((go) => setTimeout(go, 200));

  await test("the overview shows totals, ten minutes, and what is worth a look", async () => {
    await open("");
    await page.getByText("Live", { exact: true }).waitFor();
    for (const name of ["Messages a second", "Waiting in queues", "Handlers running", "Processes"]) await page.getByRole("img", { name }).waitFor();
    assert.match(await page.locator(".plot path:not(.area)").first().getAttribute("d"), /^M[-\d]+ [\d.]+L/);
    const { lints } = await api("tick");
    assert.ok(lints.length > 0, "the program has lints");
    await page.getByRole("heading", { name: "Worth a look" }).waitFor();
    for (const kind of ["stuck", "deadlock"]) await page.locator(".list .badge", { hasText: kind }).first().waitFor();
    await page.locator("line.mark.crash").first().waitFor({ state: "attached" });
  });

  await test("the tree shows a supervisor's children, and a crash and a restart appear", async () => {
    await open("tree");
    const main = item("main").first();
    await main.waitFor();
    assert.match(await main.locator(".row").first().textContent(), /one_for_(one|all)|rest_for_one/);
    assert.match(await main.locator(".row").first().textContent(), /\d+ of \d+ in [\d.]+ s/);
    const ids = () => page.locator("[role=group] [role=treeitem]:not(.gone)").evaluateAll((all) => all.map((i) => i.dataset.id));
    const before = await ids();
    assert.ok(before.length >= 4, `children: ${before}`);
    assert.match(await main.textContent(), /since (\d+ min )?[\d.]+ s ?stuck/);
    const crashes = (await api("tick")).crashes;
    await page.waitForFunction((before) => { // a child ends, and one with a newer id is there in its place
      const now = [...document.querySelectorAll("[role=group] [role=treeitem]:not(.gone)")].map((i) => i.dataset.id);
      return before.some((id) => !now.includes(id)) && now.some((id) => Number(id) > Math.max(...before));
    }, before);
    assert.ok((await api("tick")).crashes > crashes, "the page and the program have seen the crash");
    await page.locator("#news").filter({ hasText: "crash" }).waitFor({ state: "attached" });
  });

  await test("the tree goes by keyboard", async () => {
    const focus = () => page.evaluate(() => document.activeElement.querySelector("a")?.textContent);
    await page.locator("[role=treeitem][tabindex='0']").focus();
    await page.keyboard.press("Home");
    const first = await focus();
    await page.keyboard.press("ArrowDown");
    assert.notEqual(await focus(), first);
    const second = await page.evaluate(() => document.activeElement.dataset.key);
    await ticks(2);
    assert.equal(await page.evaluate(() => document.activeElement.dataset.key), second, "a tick takes no focus away");
    const main = item("main").first();
    await main.focus();
    await page.keyboard.press("ArrowLeft");
    assert.equal(await main.getAttribute("aria-expanded"), "false");
    assert.equal(await main.locator("[role=group]").count(), 0);
    await page.keyboard.press("ArrowRight");
    assert.equal(await main.getAttribute("aria-expanded"), "true");
    await page.keyboard.press("Enter");
    await page.waitForURL(/#\/process\/\d+$/);
    await page.getByRole("heading", { name: "main" }).waitFor();
  });

  await test("the table sorts, searches and pages in the program, and the URL says how", async () => {
    await open("processes");
    await rows().first().waitFor();
    assert.deepEqual(await column(0), (await column(0)).toSorted((a, b) => a - b));
    const header = page.locator("thead th", { hasText: "Queue" });
    await page.getByRole("button", { name: "Queue" }).click();
    await eventually(async () => {
      assert.equal(await header.getAttribute("aria-sort"), "descending");
      const queues = (await column(5)).map((text) => Number(text.split("/")[0].replace(/\D/g, "")));
      assert.ok(queues[0] > 0);
      assert.deepEqual(queues, queues.toSorted((a, b) => b - a));
    });
    assert.equal(await page.locator("th[aria-sort]").count(), 1);
    await Promise.all([asks({ sort: "queue", order: "asc" }), page.getByRole("button", { name: "Queue" }).press("Enter")]);
    await eventually(async () => assert.equal(await header.getAttribute("aria-sort"), "ascending"));
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Queue", "sorting keeps the focus");

    await page.keyboard.press("/");
    await Promise.all([asks({ q: "is:supervisor" }), page.keyboard.type("is:supervisor", { delay: 5 })]);
    const { rows: supervisors } = await api("processes?q=is:supervisor");
    assert.ok(supervisors.length > 0);
    await eventually(async () => assert.deepEqual((await column(0)).toSorted(), supervisors.map((r) => String(r.id)).toSorted()));
    assert.equal(await page.evaluate(() => document.activeElement.id), "q", "typing keeps the focus");
    assert.match(page.url(), /#\/processes\?.*q=is:supervisor/);

    const { total } = await api("processes?n=1");
    await page.evaluate(() => { location.hash = "/processes?n=25&sort=age&order=desc"; });
    await eventually(async () => {
      const n = await rows().count();
      assert.ok(n >= Math.min(total, 25) && n <= 25, `${n} rows`);
    });
    if (total > 25) {
      const first = await column(0);
      await page.getByRole("button", { name: "Next" }).click();
      await eventually(async () => assert.ok((await column(0)).some((id) => !first.includes(id))));
      assert.match(page.url(), /offset=25/);
      await page.goBack();
      await eventually(async () => assert.ok(await page.getByRole("button", { name: "Previous" }).isDisabled()));
    }
  });

  await test("a link shows the same again", async () => {
    const hash = "processes?q=is:stuck&sort=handling_for&order=desc&n=25";
    await open(hash);
    await rows().first().waitFor();
    assert.equal(await page.locator("#q").inputValue(), "is:stuck");
    assert.equal(await page.locator("select").inputValue(), "25");
    assert.equal(await page.locator("th[aria-sort=descending]").textContent(), "Handles");
    const stuck = await api("processes?q=is:stuck&n=1000");
    assert.deepEqual((await column(0)).map(Number).toSorted(), stuck.rows.map((r) => r.id).toSorted());
  });

  await test("a stuck handler and a deadlock are seen as such, while nobody answers", async () => {
    assert.ok((await column(3)).every((text) => /^\S.* since .*(s|min|h)$/.test(text)), "what it handles, and since when");
    assert.ok((await column(1)).every((text) => text.includes("stuck")));
    const since = () => page.evaluate(() => document.querySelector("tbody tr td:nth-child(4)").textContent);
    const before = await since();
    await page.waitForFunction((before) => document.querySelector("tbody tr td:nth-child(4)").textContent !== before, before);
    await page.getByText(/deadlock .+ → .+ → /).first().waitFor();
    const stuck = (await api("processes?q=is:stuck&sort=queue&order=desc&n=20")).rows.find((r) => !r.cycle);
    await page.locator(`tr[data-id="${stuck.id}"] th a`).click();
    await page.getByText(/^handles .+ since/).waitFor();
    expectErrors = true; // an answer of 504
    await page.getByRole("button", { name: "Ask the server" }).click();
    await page.getByText(/did not answer/).waitFor();
    expectErrors = false;
  });

  await test("the detail view shows a process, its relatives and its messages", async () => {
    await page.locator("dt", { hasText: "Parent" }).waitFor();
    for (const fact of ["Type", "Queue", "Messages", "Links", "Monitors", "Monitored by"]) await page.locator("dt", { hasText: new RegExp(`^${fact}$`) }).waitFor();
    for (const name of ["Messages a second", "Queue", "Busy"]) await page.getByRole("img", { name }).waitFor();
    await page.getByRole("region", { name: "Recent messages" }).waitFor();
    await page.locator("dt", { hasText: "> 1.0 s" }).waitFor();
    await page.locator("dd a").first().click();
    await page.waitForFunction(() => document.activeElement.tagName === "H2");
    expectErrors = true; // chromium tells of a 404 on its console
    await open("process/999999999");
    await page.getByText("This process has ended, or there was none.").waitFor();
    expectErrors = false;
  });

  await test("the dead stay for a while, with their reason, and the crash log folds", async () => {
    await open("processes?q=is:dead");
    await page.locator("tr.gone", { hasText: /ended .+: .+/ }).first().waitFor();
    await open("crashes");
    await page.locator("article").filter({ hasText: /\d+ times/ }).first().waitFor();
    await page.locator("td", { hasText: /^(restarted|terminated)$/ }).first().waitFor();
    const { crashes } = await api("crashes");
    const { count } = crashes[0];
    await page.waitForFunction((count) => [...document.querySelectorAll("article .badge")].some((b) => parseInt(b.textContent.replace(/,/g, "")) > count), count);
    assert.equal((await api("crashes")).crashes.length, crashes.length, "the same crash is one entry");
  });

  await test("names are text: no markup, nothing invisible", async () => {
    await open("processes?n=1000");
    await rows().first().waitFor();
    const { rows: all } = await api("processes?n=1000");
    const shown = new Map((await rows().evaluateAll((rows) => rows.map((r) => [Number(r.dataset.id), r.querySelector("th a").textContent]))));
    const plain = /^[^\0-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]*$/;
    for (const row of all.filter((r) => shown.has(r.id))) {
      assert.match(shown.get(row.id), plain);
      if (plain.test(row.name)) assert.equal(shown.get(row.id), row.name);
    }
    assert.equal(await page.locator("tbody :is(script, b, i, img)").count(), 0);
  });

  await test("it pauses, and rests while the tab is hidden", async () => {
    let asked = 0;
    await open("tree");
    await item("main").first().waitFor();
    page.on("request", () => { asked += 1; });
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("Paused").waitFor();
    await page.waitForTimeout(300); // what was under way
    const paused = asked;
    await page.waitForTimeout(1200);
    assert.equal(asked, paused);
    await page.getByRole("button", { name: "Pause" }).click();
    await ticks(1);
    const hide = (hidden) => page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    await hide(true);
    await page.waitForTimeout(300);
    const hidden = asked;
    await page.waitForTimeout(1200);
    assert.equal(asked, hidden);
    await Promise.all([ticks(1), hide(false)]);
  });

  await test("a token goes from the URL into a cookie", async () => {
    await page.goto("about:blank");
    await page.goto(`${base}/?token=a%20b%3B%26#/tree`);
    await item("main").first().waitFor();
    assert.equal(page.url(), `${base}/#/tree`);
    const [cookie] = await context.cookies(base);
    assert.deepEqual([cookie.name, decodeURIComponent(cookie.value), cookie.sameSite], [`otpp_token_${new URL(base).port || 80}`, "a b;&", "Strict"]);
    await context.clearCookies();
  });

  await test("seven tabs beside another work at the same time", async () => {
    const tabs = await Promise.all(Array.from({ length: 7 }, () => context.newPage()));
    await Promise.all(tabs.map((tab) => tab.setViewportSize({ width: 400, height: 300 })));
    await Promise.all(tabs.map((tab, i) => tab.goto(`${base}/#/${["", "tree", "processes", "crashes"][i % 4]}`)));
    await Promise.all(tabs.map((tab) => tab.getByText("Live", { exact: true }).waitFor()));
    await Promise.all(tabs.map((tab) => ticks(2, tab)));
    await Promise.all(tabs.map((tab) => tab.close()));
  });

  await test("a program that does not answer any more is said to be so, and found again", async () => {
    await context.route("**/api/**", (route) => route.abort());
    expectErrors = true;
    await page.getByText(/^No answer since/).waitFor();
    assert.ok(await item("main").first().isVisible(), "what was known stays");
    await context.unroute("**/api/**");
    await page.getByText("Live", { exact: true }).waitFor();
    expectErrors = false;
  });

  await test("axe finds nothing, in light and in dark", async () => {
    let injected = false;
    await everyView(async (name) => {
      for (const colorScheme of shots ? ["dark", "light"] : []) {
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: `${shots}/${name}-${colorScheme}.png` });
      }
      if (!injected) {
        await page.evaluate(axe + ";0");
        if (!shots) await page.getByRole("button", { name: "Pause" }).click(); // axe is faster in a page that rests
        injected = true;
      }
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        assert.deepEqual(await violations(colorScheme), [], `${name}, ${colorScheme}`);
      }
    });
  });
} else {
  for (let i = 0; i < 100 && (await api("tick")).processes < 1e5; i++) await page.waitForTimeout(500); // they start first
  await test("10^5 processes: something is seen within a second", async () => {
    await page.goto(`${base}/#/processes`);
    await rows().first().waitFor();
    const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
    const filled = await page.evaluate(() => performance.now());
    console.log(`       first paint after ${Math.round(paint)} ms, rows after ${Math.round(filled)} ms`);
    assert.ok(paint < 1000);
    assert.match(await page.locator("#count").textContent(), /of 1\d\d,\d{3}/);
  });

  await test("10^5 processes: each view reads at most 100 KB a second", async () => {
    for (const hash of ["", "tree", "processes"]) {
      await open(hash);
      await page.locator(":is(.plot, [role=treeitem], tbody tr)").first().waitFor();
      read = 0;
      const began = performance.now();
      await page.waitForTimeout(2200);
      const each = (read / (performance.now() - began)) * 1000;
      console.log(`       ${hash || "overview"}: ${(each / 1000).toFixed(1)} KB/s`);
      assert.ok(each < most, hash);
    }
    await open("processes?n=1000");
    await rows().nth(999).waitFor();
    await ticks(1);
    read = 0;
    const began = performance.now();
    await ticks(2);
    const each = (read / (performance.now() - began)) * 1000;
    console.log(`       1000 rows: ${(each / 1000).toFixed(1)} KB/s`);
    assert.ok(each < most);
  });

  await test("10^5 processes: search and sort answer", async () => {
    await open("processes");
    await rows().first().waitFor();
    const began = performance.now();
    await Promise.all([asks({ sort: "busy", order: "desc" }), page.getByRole("button", { name: "Busy" }).click()]);
    await page.locator("#q").fill("main");
    await page.locator("#count").filter({ hasText: /in all/ }).waitFor();
    console.log(`       both after ${Math.round(performance.now() - began)} ms`);
    if (shots) await page.screenshot({ path: `${shots}/big.png` });
  });
}

await browser.close();
console.log(failed ? `${failed} failed` : "all passed");
process.exitCode = failed ? 1 : 0;
