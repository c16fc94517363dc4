// SPDX-License-Identifier: BSL-1.0
// Made by tools/observer/make_page from tools/observer/page.html: change that one.

#pragma once

#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// clang-format off
// The Content-Security-Policy under which the page works: its one script and its one style, by their hashes.
inline constexpr std::string_view observer_page_policy =
  "default-src 'none'; script-src 'sha256-tuyGVYFWfPPxE0Y/IYL/ulsOqSBzTB9ntphFJEI7XQY='; style-src 'sha256-mt3Y6gYTAx5ucmw3AEfqdEMbl0N9+9Blyxj1B2NJwAQ='; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

inline constexpr std::string_view observer_page =
R"page(<!doctype html>
<!-- SPDX-License-Identifier: BSL-1.0 -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>otpp observer</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M8 2v5M3 14V8h10v6' fill='none' stroke='%232f6fde' stroke-width='4'/%3E%3C/svg%3E">
<style>
:root{color-scheme:light dark;--bg:light-dark(#f7f7f5,#111317);--card:light-dark(#fff,#181b20);
  --fg:light-dark(#1d2126,#e3e6ea);--mute:light-dark(#5a626d,#9ba4af);--line:light-dark(#e2e3e0,#2a2f37);
  --hover:light-dark(#f2f5fa,#1e232b);--accent:light-dark(#1a5fc4,#7cb2ff);--fill:light-dark(#1a5fc41c,#7cb2ff26);
  --bad:light-dark(#b3261e,#ff9088);--badfill:light-dark(#fdeceb,#3a1f1f);--warn:light-dark(#855000,#f1bb62)}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:14px/1.45 system-ui,sans-serif}
header{position:sticky;top:0;z-index:2;display:flex;flex-wrap:wrap;gap:0 1.25rem;align-items:center;
  padding:0 1.25rem;background:var(--card);border-bottom:1px solid var(--line)}
h1{font-size:14px;margin:0} h1 span{color:var(--mute);font-weight:400}
nav{display:flex;flex-wrap:wrap;gap:0 .9rem} header nav{gap:0}
header nav a{padding:.7rem .75rem .6rem;border-bottom:2px solid transparent;color:var(--mute)}
header nav a:hover{color:var(--fg)} nav a[aria-current]{color:var(--fg);border-color:var(--accent);font-weight:600}
.right{margin-left:auto;display:flex;gap:.75rem;align-items:center;color:var(--mute)}
.state::before{content:"● ";color:light-dark(#1c7440,#5fcf8b)} .state.held::before{content:"‖ ";color:inherit}
.state.off{color:var(--bad);font-weight:600} .state.off::before{content:"▲ ";color:inherit}
main{padding:1rem 1.25rem 2rem;max-width:110rem;margin:auto}
h2{font-size:18px;margin:0 0 .75rem;overflow-wrap:anywhere;outline:none}
h3{font-size:13px;margin:0 0 .5rem} h2,h3{font-weight:600} tbody th{font-weight:400}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem;margin:0 0 1rem;min-width:0}
.cols{display:grid;gap:0 1rem;grid-template-columns:minmax(0,7fr) minmax(17rem,3fr);align-items:start}
.cols.even{grid-template-columns:1fr 1fr} .cols>*{min-width:0}
@media (max-width:60rem){.cols,.cols.even{grid-template-columns:minmax(0,1fr)}}
a{color:var(--accent);text-decoration:none} a:hover{text-decoration:underline} p a{text-decoration:underline}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px;border-radius:3px}
button,input,select{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.25rem .6rem}
button:hover:enabled{background:var(--hover)} button:disabled{color:var(--mute)} [aria-pressed=true]{background:var(--fill)} input[type=search]{width:19rem;max-width:100%}
.mute{color:var(--mute)} .num{text-align:right;font-variant-numeric:tabular-nums} .bad{color:var(--bad)} .warn{color:var(--warn)}
code,pre,.mono{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:12.5px}
pre{white-space:pre-wrap;overflow-wrap:anywhere;max-height:24rem;overflow:auto;margin:.5rem 0 0}
.badge{font-size:11.5px;padding:0 .4em;border:1px solid;border-radius:4px;white-space:nowrap;margin-left:.4em;color:var(--warn)}
.badge.bad{color:var(--bad);background:var(--badfill);font-weight:600}
.tools{display:flex;flex-wrap:wrap;gap:.5rem .75rem;align-items:center;margin:0 0 .6rem} label{color:var(--mute)}
.scroll{overflow-x:auto;padding:0}
table{border-collapse:collapse;width:100%;font-size:13px}
th,td{text-align:left;padding:.26rem .5rem;border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}
tbody tr:last-child>*{border-bottom:0} tbody tr:hover,.row:hover{background:var(--hover)}
thead th{font-weight:400;color:var(--mute);font-size:12.5px} th[aria-sort]{color:var(--fg);font-weight:600}
th button{border:0;padding:0;background:none;font-weight:inherit;font-size:inherit}
th button::after{content:"↓";position:absolute;visibility:hidden} th[aria-sort=ascending] button::after{content:"↑"}
th[aria-sort] button::after{visibility:visible}
td>.badge:first-child,.row .badge:first-child{margin-left:0}
.mono.name{max-width:11rem} .name{max-width:13rem} .does{max-width:17rem} .name{overflow:hidden;text-overflow:ellipsis} .long{white-space:normal;overflow-wrap:anywhere}
tr.gone>*,.gone>.row{color:var(--mute);font-style:italic;font-weight:400} .gone>th a,.gone>.row a{color:inherit}
svg.share{width:2.2rem;height:.55rem;background:var(--fill);border-radius:2px} .share rect{fill:var(--accent)}
.share + span{display:inline-block;width:3.1rem}
.plot{display:grid;grid-template-columns:8.5rem minmax(0,1fr);gap:.75rem;align-items:center;padding:.6rem 0;border-bottom:1px solid var(--line)}
.plot p{margin:0;color:var(--mute);font-size:12.5px;line-height:1.35} .plot b{display:block;font-size:20px;font-weight:600;color:var(--fg);font-variant-numeric:tabular-nums}
.plot svg{display:block;width:100%;height:80px} .plot svg.lanes{height:54px}
.plot path{vector-effect:non-scaling-stroke;fill:none;stroke:var(--accent);stroke-width:1.5} .plot .area{fill:var(--fill);stroke:none}
line{stroke:var(--line)} .cursor{stroke:var(--mute);stroke-dasharray:2 2} .mark{stroke:var(--accent);stroke-width:2} .crash,.gave_up{stroke:var(--bad)}
.axis,.lane{display:flex;justify-content:space-between;color:var(--mute);font-size:12.5px;height:18px} .axis{margin:.5rem 0 0 9.25rem}
ul{list-style:none;margin:0;padding:0} .list li{padding:.35rem 0;border-top:1px solid var(--line);overflow-wrap:anywhere}
.list li:first-child{border:0;padding-top:0} .list .badge{margin:0 .4em 0 0} .when{float:right;margin-left:.75rem;color:var(--mute)}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.2rem 1rem;margin:0} dt{color:var(--mute)} dd{margin:0;overflow-wrap:anywhere}
.tree{overflow-x:auto;padding:.4rem 0} .tree>*{min-width:62rem} ul ul{padding-left:1.15rem}
.row{display:grid;grid-template-columns:minmax(14rem,1fr) 6rem 9rem 4rem 26rem;gap:.75rem;padding:.17rem 1rem;align-items:baseline}
.row>*{overflow:hidden;text-overflow:ellipsis;white-space:nowrap} .head{color:var(--mute);font-size:12.5px}
.fold{display:inline-block;width:1.15rem;color:var(--mute);font-size:11px} .fold[data-act]{cursor:pointer}
li[role=treeitem]{outline:none} li:focus-visible>.row{outline:2px solid var(--accent);outline-offset:-2px}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
</style>
</head>
<body>
<header>
<h1>otpp <span>observer</span></h1>
<nav aria-label="Views"></nav>
<div class="right"><span id="totals"></span><span id="state" class="state" role="status">Connecting</span>
<button type="button" data-act="hold" aria-pressed="false">Pause</button></div>
</header>
<main><p class="mute">Reading the program.</p></main>
<div id="news" class="sr" role="status"></div>
<noscript>The observer needs JavaScript. For a text, open /top.</noscript>
<script>
"use strict";
const $ = (s) => document.querySelector(s);

const $$ = (s) => [...document.querySelectorAll(s)];

// What would be invisible, or would turn the text around, is escaped as in C++.
const visible = (s) => String(s).replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, (c) => {
  const code = c.charCodeAt(0).toString(16);
  return code.length < 3 ? "\\x" + code.padStart(2, "0") : "\\u" + code;
});

// h("td.num", {title: "x"}, "text", node, [more]): an element. Text becomes a text node, never markup.
const drawn = new Set(["svg", "path", "line", "rect"]);
function h(name, ...parts) {
  const [tag, ...classes] = name.split(".");
  const e = drawn.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  if (classes.length) e.setAttribute("class", classes.join(" "));
  for (const part of parts.flat(9)) {
    if (part == null || part === false || part === "") continue;
    if (part instanceof Node) e.append(part);
    else if (typeof part !== "object") e.append(visible(part));
    else for (const [key, value] of Object.entries(part)) if (value != null && value !== false) e.setAttribute(key, value === true ? "" : visible(value));
  }
  return e;
}

// Makes `have` equal to `want`. What is the same stays, and with it focus, selection, and what is open.
function morph(have, want) {
  if (have.nodeType !== 1) { if (have.data !== want.data) have.data = want.data; return; }
  for (const { name } of [...have.attributes]) if (!want.hasAttribute(name) && name !== "open") have.removeAttribute(name);
  for (const { name, value } of want.attributes) if (have.getAttribute(name) !== value) have.setAttribute(name, value);
  const keyed = new Map();
  for (const child of have.children) if (child.dataset.key) keyed.set(child.dataset.key, child);
  let at = have.firstChild;
  for (const child of [...want.childNodes]) {
    const key = child.dataset?.key;
    const found = key ? keyed.get(key) : at && !at.dataset?.key ? at : null;
    if (found?.nodeName !== child.nodeName) { have.insertBefore(child, at); continue; }
    if (found === at) at = at.nextSibling; else have.insertBefore(found, at);
    morph(found, child);
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

const number = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 }), fine = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });
const num = (x) => x == null ? "–" : number.format(x);
const rate = (x) => x == null ? "–" : x >= 100 ? number.format(x) : fine.format(x);
const percent = (x) => x == null ? "–" : Math.round(100 * x) + " %";
function span(s) { // a duration
  if (s == null) return "–";
  if (s < 0.001) return Math.round(s * 1e6) + " µs";
  if (s < 1) return Math.round(s * 1000) + " ms";
  if (s < 60) return s.toFixed(1) + " s";
  const m = Math.floor(s / 60), hours = Math.floor(m / 60), days = Math.floor(hours / 24);
  return days ? `${days} d ${hours % 24} h` : hours ? `${hours} h ${m % 60} min` : `${m} min ${Math.floor(s % 60)} s`;
}
const ago = (s) => s < 1 ? "now" : `${s < 60 ? Math.floor(s) + " s" : span(s)} ago`;
const clock = (t) => new Date(1000 * t).toLocaleTimeString("en-GB");
const plural = (n, one, many = one + "s") => `${num(n)} ${n === 1 ? one : many}`;

const bad = new Set(["stuck", "deadlock", "mailbox_full", "crash", "gave_up"]);
const badge = (kind) => h(`span.badge.${bad.has(kind) ? "bad" : "warn"}`, kind.replace(/_/g, " "));
const to = (id, text, more) => h("a", { href: `#/process/${id}`, ...more }, h("bdi", text ?? `process ${id}`));
const handling = (r) => r.handling && [h("code", r.handling), r.handling_for != null && ` since ${span(r.handling_for)}`];
const ended = (r) => `ended ${ago(r.ended.ago)}: ${r.ended.reason}`;
const table = (label, heads, rows) => h("div.card.scroll", { tabindex: 0, role: "region", "aria-label": label },
  h("table", h("thead", h("tr", heads)), h("tbody", rows)));
const head = (text, kind = "") => h("th" + kind, { scope: "col" }, text);
const section = (title, ...parts) => h("section.card", h("h3", title), parts);
const button = (act, text, more) => h("button", { type: "button", "data-act": act, ...more }, text);
const joined = (list, make, between = ", ") => list.map((x, i) => [i ? between : "", make(x)]);
const share = (part) => h("svg.share", { "aria-hidden": "true" }, h("rect", { width: 100 * part + "%", height: "100%" }));
const cell = (text) => h("td.num" + (text === "0" || text === "–" ? ".mute" : ""), text);

// What the page shows, and how, stands in the URL: #/processes?sort=queue&order=desc
let view, tick, data, past, failure, hold = false, cursor = null, folded = new Set(), statusOf, told;
function readUrl() {
  const [path, query] = location.hash.slice(2).split("?"), [page, id] = path.split("/");
  view = { page: Object.hasOwn(views, page) ? page : "overview", id: Number(id) || 0, query: new URLSearchParams(query) };
}
function url(page, changes = {}) {
  const query = new URLSearchParams(view.query);
  for (const [key, value] of Object.entries(changes)) if (value === "" || value == null) query.delete(key); else query.set(key, value);
  const text = query.toString().replace(/%3A/g, ":");
  return `#/${page}${text && "?" + text}`;
}
)page"
R"page(function change(changes, silent) { // silent: no step of the history for each letter
  history[silent ? "replaceState" : "pushState"](null, "", url(view.page, changes));
  readUrl();
  refresh();
}

let bytes = 0;
async function get(path) {
  const answer = await fetch("api/v1/" + path, { signal: AbortSignal.timeout(5000) });
  const text = await answer.text();
  bytes += text.length;
  let json = {};
  try { json = JSON.parse(text); } catch { if (answer.ok) throw new Error("The answer is not JSON."); }
  if (answer.ok) return json;
  const why = answer.status === 401 ? "A token is wanted: open the URL with ?token=" : json.error;
  throw Object.assign(new Error(why ?? `The answer is ${answer.status}.`), { status: answer.status });
}

// Plots: ten minutes at one number a second, oldest first; the newest stands at the right.
const width = 600;
const line = (at, y1, y2, kind = "") => h("line" + kind, { x1: at, x2: at, y1, y2 });
const floor = (y) => h("line", { x1: 0, x2: "100%", y1: y, y2: y });
const cursorLine = () => cursor != null && line(100 * cursor + "%", 0, "100%", ".cursor");
function plot(label, values, show) {
  const top = Math.max(0, ...values), first = width - values.length, last = values.length - 1;
  const at = values[cursor == null ? last : last - Math.round((1 - cursor) * width)];
  const d = values.map((v, i) => `${i ? "L" : "M"}${first + i + 1} ${(78 - 74 * (v ?? 0) / (top || 1)).toFixed(1)}`).join("");
  return h("div.plot", h("p", label, h("b", show(at)), `highest ${show(top)}`),
    h("svg", { role: "img", "aria-label": `${label}: now ${show(values[last])}, highest ${show(top)} in 10 minutes` }, floor(79.5),
      h("svg", { viewBox: "0 0 600 80", preserveAspectRatio: "none" }, d && [h("path.area", { d: `${d}V80H${first + 1}Z` }), h("path", { d })]), cursorLine()));
}
function lanes(past) { // a line for each kind: its place says what it is, not only its color
  const kinds = [["crash", "Crashes"], ["restart", "Restarts"], ["gave_up", "Gave up"]].map(([kind, name]) => [kind, name, past.marks.filter((m) => m.kind === kind && m.ago < width)]);
  return h("div.plot", h("div", kinds.map(([, name, marks]) => h("div.lane", h("span", name), h("span", num(marks.length))))),
    h("svg.lanes", { role: "img", "aria-label": kinds.map(([, name, marks]) => `${name}: ${marks.length}`).join(", ") + " in 10 minutes" }, kinds.map(([kind, , marks], i) =>
      [floor(18 * i + 17.5), marks.map((m) => line(100 - m.ago / 6 + "%", 18 * i + 4, 18 * i + 17, ".mark." + kind))]), cursorLine()));
}
const plots = (...rows) => h("div.card", rows, h("div.axis", ["10 min ago", cursor == null ? "5 min ago" : ago((1 - cursor) * width), "now"].map((t) => h("span", t))));

const views = {
  overview: {
    title: "Overview",
    async load() { // reads the ten minutes when something has happened, and else adds what the tick says
      const step = past ? tick.time - past.time : 99;
      if (step > 2.5 || past.changes !== tick.changes || past.crashes !== tick.crashes || tick.time - past.read > 30)
        past = { ...await get("history"), read: tick.time };
      else if (step > 0.5) {
        for (const key of ["messages", "busy", "queue", "processes"]) past[key] = [...past[key], tick[key]].slice(-width);
        for (const mark of past.marks) mark.ago += step;
      } else return past;
      return Object.assign(past, { time: tick.time, changes: tick.changes, crashes: tick.crashes });
    },
    draw(past) {
      const marks = past.marks.toSorted((a, b) => a.ago - b.ago).slice(0, 8), more = tick.lints_total - tick.lints.length;
      return h("div.cols", h("div", plots(plot("Messages a second", past.messages, rate), plot("Waiting in queues", past.queue, num),
        plot("Handlers running", past.busy, (x) => (x ?? 0).toFixed(2)), plot("Processes", past.processes, num), lanes(past)),
        section("Latest crashes and restarts", marks.length ? h("ul.list", marks.map((m) =>
          h("li", h("span.when.num", ago(m.ago)), badge(m.kind), h("bdi", m.text)))) : h("div.mute", "None in the last 10 minutes."))),
      section("Worth a look", tick.lints.length ? h("ul.list", tick.lints.map((l) =>
        h("li", { "data-key": `${l.id} ${l.kind}` }, badge(l.kind), to(l.id, l.name), h("div.mute", h("bdi", l.text)))),
      more > 0 && h("li", h("a", { href: "#/processes?q=is:lint" }, `${num(more)} more`))) : h("div.mute", "Nothing stands out.")));
    },
  },

  tree: {
    title: "Tree",
    load: () => get("tree?n=" + (view.query.get("n") ?? 100)),
    draw(tree) {
      const item = (n, level) => ({ role: "treeitem", tabindex: -1, "aria-level": level, "data-key": n });
      const more = (n, level, key) => n > 0 && h("li", item(key, level),
        h("div.row", h("span", h("span.fold"), h("a", { href: view.query.has("n") ? "#/processes" : url("tree", { n: 1000 }), tabindex: -1 }, `${num(n)} more`))));
      const node = (n, level) => {
        const s = n.supervisor, inside = n.children.length > 0, open = !folded.has(n.id), row = h("div.row",
          h("span", h("span.fold", { "aria-hidden": "true", "data-act": inside ? "fold" : null }, inside ? open ? "▼" : "▶" : ""), to(n.id, n.child ?? n.name, { tabindex: -1 }), " ",
            h("span.mute.mono", s?.strategy ?? n.type), n.child && n.child !== n.name && h("span.mute", " as ", h("bdi", n.name))),
          h("span.mute", n.restart), h("span", s ? h("span", { class: s.recent && s.recent >= s.intensity ? "warn" : s.recent ? null : "mute" }, `${s.recent} of ${s.intensity} in ${+s.period.toFixed(2)} s`)
            : n.restarts ? `restarted ${num(n.restarts)}×` : ""),
          h("span.num", n.queue ? num(n.queue) : ""), h("span", n.ended ? ended(n) : handling(n), n.lints.map(badge)));
        return h(n.ended ? "li.gone" : "li", { ...item(n.id, level), "aria-expanded": inside ? String(open) : null, "data-id": n.id },
          row, inside && open && h("ul", { role: "group" }, n.children.map((c) => node(c, level + 1)), more(n.more, level + 1, "more" + n.id)));
      };
      return h("div.card.tree", h("div.row.head", { "aria-hidden": "true" }, h("span", h("span.fold"), "Child"), ["Restart", "Restarts", "Queue", "Handles"].map((t) => h(t === "Queue" ? "span.num" : "span", t))),
        h("ul", { role: "tree", "aria-label": "Supervision tree" }, tree.roots.map((n) => node(n, 1)), more(tree.more, 1, "more")));
    },
    drawn() { // one item is in the order of tabs; the arrows reach the others
      const items = $$("[role=treeitem]");
      (items.find((i) => i.dataset.key === view.at) ?? items[0])?.setAttribute("tabindex", 0);
    },
  },

  processes: {
    title: "Processes",
    load() {
      const query = new URLSearchParams({ sort: "id", order: "asc", n: 50, offset: 0, q: "" });
      for (const key of [...query.keys()]) if (view.query.has(key)) query.set(key, view.query.get(key));
      return get("processes?" + query);
    },
    columns: [["id", "Id", 1], ["name", "Name"], ["type", "Type"], ["handling_for", "Handles"], ["", "Waits for"], ["queue", "Queue", 1], ["longest", "Longest", 1], ["rate", "Msg/s", 1],
      ["busy", "Busy", 1], ["messages", "Messages", 1], ["age", "Age", 1], ["restarts", "Restarts", 1], ["parent", "Parent", 1], ["context", "Context", 1]],
    presets: [["All", ""], ["Longest queues", "sort=queue&order=desc"], ["Busiest", "sort=busy&order=desc"], ["Longest in a handler", "sort=handling_for&order=desc"],
      ["Stuck", "q=is:stuck"], ["Worth a look", "q=is:lint"], ["Supervisors", "q=is:supervisor"], ["Ended", "q=is:dead"]],
    draw({ rows, offset, matched, total }) {
      const q = view.query, sort = q.get("sort") ?? "id", down = q.get("order") === "desc", n = Number(q.get("n") ?? 50), now = url("processes").split("?")[1] ?? "", last = offset + rows.length;
      const names = new Map(rows.map((r) => [r.id, r.name])), chain = (ids, between) => joined(ids, (id) => to(id, names.get(id) ?? id), between);
      const row = (r) => h(r.ended ? "tr.gone" : "tr", { "data-key": r.id, "data-id": r.id }, h("td.num", r.id),
        h("th.name", { scope: "row", title: r.name }, to(r.id, r.name), r.lints.filter((l) => l !== "deadlock").map(badge)), h("td.name.mono", { title: r.type }, r.type),
        h("td.name.does", { title: r.ended && ended(r) }, r.ended ? ended(r) : handling(r)),
        h("td", r.cycle ? [badge("deadlock"), " ", chain([...r.cycle, r.cycle[0]], " → ")] : chain(r.waits_for ?? [])),
        r.limit ? h("td.num", num(r.queue), h("span.mute", " / " + num(r.limit))) : cell(num(r.queue)), cell(num(r.longest)), cell(rate(r.rate)),
        h(r.busy ? "td.num" : "td.num.mute", share(r.busy ?? 0), h("span", percent(r.busy))),
        cell(num(r.messages)), cell(span(r.age)), cell(num(r.restarts)), r.parent ? h("td.num", to(r.parent, r.parent)) : cell("–"), cell(num(r.context)));
      return [
        h("div.tools", h("label", { for: "q" }, "Search"), h("input", { id: "q", type: "search", placeholder: "name, type, id, is:stuck", spellcheck: "false", "data-in": "q", "aria-keyshortcuts": "/" }),
          h("label", "Rows ", h("select", { "data-in": "n" }, [25, 50, 100, 250, 1000].map((k) => h("option", { value: k }, k)))),
          h("span.right.num", h("span", { id: "count" }, matched ? `${num(offset + 1)}–${num(last)} of ${num(matched)}` : "None", matched < total && ` (${num(total)} in all)`),
            button("page", "Previous", { "data-to": Math.max(0, offset - n), disabled: !offset }),
            button("page", "Next", { "data-to": offset + n, disabled: last >= matched }))),
        h("nav.tools", { "aria-label": "Ready-made searches" }, this.presets.map(([name, query]) =>
          h("a", { href: "#/processes" + (query && "?" + query), "aria-current": query === now ? "true" : null }, name))),
        table("Processes", this.columns.map(([key, name, right]) => h(right ? "th.num" : "th", { scope: "col", "aria-sort": key && key === sort ? down ? "descending" : "ascending" : null },
          key ? button("sort", name, { "data-to": key }) : name)), rows.map(row))];
    },
    drawn() {
      const q = $("#q"), value = view.query.get("q") ?? "";
      if (q !== document.activeElement && q.value !== value) q.value = value;
      $("select").value = view.query.get("n") ?? 50;
    },
  },

  process: {
    load: () => get("process?id=" + view.id),
    draw({ row: r, links, monitors, monitored_by, history: past, recent, ran }) {
      const all = (list) => list?.length ? joined(list, (p) => to(p.id, p.name)) : "none";
      const facts = [["Type", h("code", r.type)], ["State", r.ended ? ended(r) : r.handling ? ["handles ", handling(r)] : "waits for a message"],
        ["Waits for", r.cycle ? [joined([...r.cycle, r.cycle[0]], (id) => to(id, id), " → "), ": each waits for the next, and none can go on"] : r.waits_for?.length ? all(r.waits_for.map((id) => ({ id }))) : null],
        ["Queue", `${num(r.queue)}${r.limit ? ` of at most ${num(r.limit)}` : ""}, longest ${num(r.longest)}`], ["Messages", `${num(r.messages)}, ${rate(r.rate)} a second`],
        ["Busy", percent(r.busy)], ["Age", span(r.age)], ["Restarts", num(r.restarts)], ["Child", r.child && h("bdi", r.child)], ["Parent", r.parent && to(r.parent)],
        ["Names", r.names?.length ? h("bdi", r.names.join(", ")) : null], ["Context", num(r.context)],
        ["Links", all(links)], ["Monitors", all(monitors)], ["Monitored by", all(monitored_by)]];
      const status = statusOf?.id === r.id && statusOf.text;
      return [h("h2", { tabindex: -1 }, h("bdi", r.name), " ", h("span.mute", `${r.supervisor ? "supervisor" : "process"} ${r.id}`), r.lints.map(badge), r.ended && badge("ended")),
        h("div.cols", h("div", plots(plot("Messages a second", past.messages, rate), plot("Queue", past.queue, num), plot("Busy", past.busy, percent), past.marks?.length ? lanes(past) : ""),
          table("Recent messages", [head("Recent message"), head("Kind"), head("Waited", ".num"), head("Ran", ".num"), head("Ended", ".num"), head("Error")], recent.length ? recent.map((m) =>
            h("tr", h("td.name.mono", { title: m.message }, m.message), h("td", m.kind), cell(span(m.waited)), cell(span(m.ran)), cell(ago(m.ago)), h("td.long.bad", m.error))) : h("tr", h("td.mute", { colspan: 6 }, "None yet.")))),
)page"
R"page(        h("div", section("Facts", h("dl", facts.map(([name, value]) => value != null && [h("dt", name), h("dd", value)]))),
          section("How long handlers ran", h("dl", ran.counts.map((n, i, all) => [h("dt", i < 6 ? "≤ " + span(ran.up_to[i]) : "> 1.0 s"),
            h("dd", share(n / Math.max(1, ...all)), " ", num(n))])), h("div.mute", `In ${span(ran.for)}`)),
          section("Status", button("status", "Ask the server", { disabled: !!r.ended }), " ",
            status ? h("pre", { tabindex: 0, role: "region", "aria-label": "Status" }, status) : h("span.mute", "It shows what format_status says."))))];
    },
  },

  crashes: {
    title: "Crashes",
    load: () => get("crashes"),
    draw: (log) => h("div.cols.even",
      h("section", h("h3", "Crashes"), log.crashes.length ? log.crashes.map((c) => h("article.card", { "data-key": [c.type, c.server, c.reason, c.message, c.where].join() },
        h("span.when", c.count > 1 && `since ${clock(c.first)}, last `, ago(log.time - c.last)), to(c.id, c.server), " ", h("span.mute.mono", c.type), c.count > 1 && h("span.badge.bad", num(c.count) + " times"),
        h("div.bad.long", h("bdi", c.reason)), h("div.mute", c.message && ["in ", h("code", c.message)], c.where && [", sent from ", h("code", c.where)], c.dropped ? `, ${plural(c.dropped, "message")} dropped` : ""),
        c.state != null && h("details", h("summary", "State"), h("pre", { tabindex: 0 }, c.state)))) : h("div.card.mute", "None since the observer was started.")),
      h("section", h("h3", "What supervisors did"), table("Supervisor reports", ["When", "Supervisor", "Child", "Event", "Reason"].map((t) => head(t)), log.supervisors.length ? log.supervisors.map((s) =>
        h("tr", h("td", ago(log.time - s.time)), h("td.name", s.supervisor), h("td.name", s.child), h("td", s.event.replace(/_/g, " ")), h("td.long", s.reason))) : h("tr", h("td.mute", { colspan: 5 }, "Nothing yet."))))),
  },
};

const key = () => `${view.page}/${view.id}`;
function draw() {
  const v = views[view.page], focused = document.activeElement, lost = failure && !failure.status, part = (have, name, ...parts) => morph($(have), h(name, ...parts));
  part("header nav", "nav", { "aria-label": "Views" }, Object.entries(views).map(([page, { title }]) => title && h("a", {
    href: page === "overview" ? "#/" : "#/" + page, "aria-current": page === (view.page === "process" ? "processes" : view.page) ? "page" : null }, title,
  page === "overview" && tick?.lints_total ? h("span.badge.bad", num(tick.lints_total), h("span.sr", " worth a look")) : "")));
  part("#state", "span.state" + (lost ? ".off" : hold ? ".held" : ""), { id: "state", role: "status" }, lost ? `No answer since ${clock(failure.since)}` : hold ? "Paused" : tick ? "Live" : "Connecting");
  if (tick) part("#totals", "span.num", { id: "totals" }, `${plural(tick.processes, "process", "processes")} · ${rate(tick.messages)} msg/s`);
  const mine = data && shown === key(), name = v.title ?? (mine ? data.row.name : `Process ${view.id}`);
  document.title = visible(name) + " · otpp observer";
  const why = failure?.status === 404 ? "This process has ended, or there was none." : failure?.message;
  if (mine || why) part("main", "main", v.title ? h("h2.sr", { tabindex: -1 }, name) : !mine && h("h2", { tabindex: -1 }, name),
    why && (failure.status || !mine) && h("p.card", why, " ", h("a", { href: "#/processes" }, "All processes")), mine && v.draw(data));
  if (mine) v.drawn?.();
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

function tell() { // what a reader of the screen hears: that something happened, not every number
  if (told) {
    const words = [], lints = new Set(told.lints.map((l) => l.id + l.kind));
    if (tick.crashes > told.crashes) words.push(plural(tick.crashes - told.crashes, "crash", "crashes"));
    for (const l of tick.lints) if (!lints.has(l.id + l.kind)) words.push(l.text);
    if (words.length) $("#news").textContent = visible(words.slice(0, 3).join("; "));
  }
  told = tick;
}

// One short request after the other, a second apart, and no stream: a browser has six connections for an origin, and streams
// in six tabs would leave none for the seventh. After a large answer it waits longer, which keeps it below 80 KB a second.
let timer, turn = 0, shown;
async function refresh() {
  const mine = ++turn, began = performance.now(), what = key();
  clearTimeout(timer);
  if (document.hidden) return;
  bytes = 0;
  try {
    const t = await get("tick");
    if (mine !== turn) return;
    tick = t;
    const d = await views[view.page].load();
    if (mine !== turn) return;
    data = d; shown = what; failure = null;
    tell();
  } catch (error) {
    if (mine !== turn) return;
    failure = Object.assign(error, { since: failure?.since ?? Date.now() / 1000 });
  }
  draw();
  if (!hold) timer = setTimeout(refresh, Math.max(1000 - (performance.now() - began), bytes / 80, failure ? 2000 : 0));
}

const acts = {
  hold(on) { hold = !hold; on.setAttribute("aria-pressed", hold); refresh(); },
  sort(on) {
    const to = on.dataset.to, q = view.query, same = (q.get("sort") ?? "id") === to, text = ["id", "name", "type", "parent", "context"].includes(to);
    change({ sort: to, order: (same ? q.get("order") === "desc" : text) ? "asc" : "desc", offset: null });
  },
  page(on) { change({ offset: Number(on.dataset.to) || null }); },
  fold(sign) { const id = Number(sign.closest("[data-id]").dataset.id); folded.delete(id) || folded.add(id); draw(); },
  async status() {
    const id = view.id, show = (text) => { statusOf = { id, text }; draw(); };
    show("Asking.");
    try { const answer = await get("status?id=" + id); show(answer.status ?? answer.error); } catch (error) { show(error.message); }
  },
};
document.addEventListener("click", (e) => {
  const on = e.target.closest("[data-act]");
  if (on) acts[on.dataset.act](on);
});
let typed;
document.addEventListener("input", (e) => {
  const on = e.target, to = on.dataset.in;
  if (to === "q") { clearTimeout(typed); typed = setTimeout(() => change({ q: on.value.trim(), offset: null }, true), 200); }
  else if (to) change({ [to]: on.value, offset: null });
});
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "/" && !e.target.closest("input, select")) { const q = $("#q"); if (q) { e.preventDefault(); q.focus(); } return; }
  const item = e.target.closest?.("[role=treeitem]");
  if (!item) return;
  const items = $$("[role=treeitem]"), at = items.indexOf(item), open = item.getAttribute("aria-expanded"), id = Number(item.dataset.id);
  const up = item.parentElement.closest("[role=treeitem]");
  let next = { ArrowDown: items[at + 1], ArrowUp: items[at - 1], Home: items[0], End: items.at(-1) }[e.key];
  if (e.key === "Enter") item.querySelector("a").click();
  else if (e.key === "ArrowRight" && open) { if (open === "true") next = items[at + 1]; else { folded.delete(id); draw(); } }
  else if (e.key === "ArrowLeft") { if (open === "true") { folded.add(id); draw(); } else next = up; }
  else if (!next) return;
  e.preventDefault();
  if (next) { item.tabIndex = -1; next.tabIndex = 0; next.focus(); view.at = next.dataset.key; }
});
document.addEventListener("pointermove", (e) => {
  const box = e.target.closest?.(".plot")?.lastChild.getBoundingClientRect(), x = box ? (e.clientX - box.left) / box.width : -1, was = cursor;
  cursor = x >= 0 && x <= 1 ? x : null;
  if (cursor !== was) draw();
});
document.addEventListener("visibilitychange", () => hold || refresh());
addEventListener("hashchange", async () => {
  const old = key();
  clearTimeout(typed);
  readUrl();
  await refresh();
  if (old !== key()) { scrollTo(0, 0); $("h2")?.focus({ preventScroll: true }); }
});

const token = new URLSearchParams(location.search).get("token");
if (token) { // from now on in a cookie, not in what the address bar shows
  document.cookie = `otpp_token_${location.port || 80}=${encodeURIComponent(token)}; path=/; SameSite=Strict`;
  history.replaceState(null, "", location.pathname + location.hash);
}
readUrl();
draw();
refresh();
</script>
</body>
</html>
)page";
// clang-format on

} // namespace otpp::detail

#pragma GCC visibility pop
