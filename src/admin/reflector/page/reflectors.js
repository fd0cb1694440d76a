// This reflector and others, side by side, and in what they differ.
"use strict";
import { ask, badge, count, el, heading, lasted, poll, say } from "./core.js";
import { table } from "./table.js";

// What ought to be the same at all of them, and after how many looks in a row a difference is more than a change that is
// under way.
const alike = { version: "versions", established: "peers", vnis: "VNIs", routes: "routes", subscriptions: "subscriptions" };
const LOOKS = 3;

// For how many looks a reflector has differed from this one in something.
function differences() {
  const looks = new Map();
  return (rows) => {
    const own = rows[0];
    for (const row of rows) {
      row.differs = {};
      for (const field of Object.keys(alike)) {
        const name = `${row.address} ${field}`;
        const isOther = row.error === null && row[field] !== null && own[field] !== null && row[field] !== own[field];
        looks.set(name, isOther ? (looks.get(name) || 0) + 1 : 0);
        row.differs[field] = looks.get(name);
        row.own = own;
      }
    }
  };
}

// A number, and by how much it differs from this reflector's.
function compared(row, field) {
  const value = row[field];
  if (value === null || !row.differs[field]) return count(value);
  const by = value - row.own[field];
  return [`${count(value)} `, badge(`${by > 0 ? "+" : "−"}${count(Math.abs(by))}`, row.differs[field] >= LOOKS ? "warn" : "soft")];
}

function sentence(rows) {
  const silent = rows.filter((row) => row.error !== null).length;
  const others = rows.slice(1);
  const kinds = Object.keys(alike).filter((field) => others.some((row) => row.differs[field] >= LOOKS));
  const parts = [];
  if (silent) parts.push(`${silent === 1 ? "1 reflector does" : `${silent} reflectors do`} not answer.`);
  if (kinds.length) parts.push(`Different for some time: ${kinds.map((field) => alike[field]).join(", ")}.`);
  return parts.join(" ");
}

export function reflectors(main, { signal }) {
  const differ = differences();
  const wrong = el("p", { class: "verdict warn", role: "status", hidden: true });
  const all = table({
    caption: "Reflectors", empty: "Looking…", id: (row) => row.address ?? "",
    columns: [
      { title: "Reflector", isFirst: true, of: (row) => row.address === null ? "this one" : { text: row.address, kind: "code" } },
      { title: "State", of: (row) => row.error === null ? badge("answers", "good") : [badge("silent", "warn"), { text: ` ${row.error}`, kind: "soft" }] },
      { title: "Version", of: (row) => row.differs.version ? [`${row.version} `, badge("differs", "warn")] : row.version ?? "–" },
      { title: "Sessions for", isNumber: true, hint: "through all handovers", of: (row) => row.sessions_since === null ? "–" : lasted(Math.max(0, Math.floor(Date.now() / 1000) - row.sessions_since)) },
      { title: "I/O", of: (row) => row.io ?? "–" },
      { title: "Shards", isNumber: true, of: (row) => count(row.shards) },
      { title: "Peers", isNumber: true, of: (row) => compared(row, "established") },
      { title: "VNIs", isNumber: true, of: (row) => compared(row, "vnis") },
      { title: "Routes", isNumber: true, of: (row) => compared(row, "routes") },
      { title: "Subscriptions", isNumber: true, of: (row) => compared(row, "subscriptions") },
      { title: "Behind", isNumber: true, hint: "subscriptions that lack routes or changes", of: (row) => count(row.behind) },
      { title: "Slow peers", isNumber: true, of: (row) => count(row.slow_peers) },
    ] });
  main.append(heading("Reflectors"), el("section", {}, wrong, all.node,
    el("p", { class: "foot note" }, "Leaves announce the same routes to all their reflectors. Numbers that differ from those of this reflector are marked; a difference that lasts becomes a warning.")));
  poll(2000, async () => {
    try {
      const { rows } = await ask("reflectors", {}, signal);
      if (signal.aborted) return;
      differ(rows);
      say(wrong, sentence(rows));
      wrong.hidden = !wrong.textContent;
      all.show(rows);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      // The banner says that the reflector does not answer.
    }
  }, signal);
}
