// Routes and sessions as they come and go, and what the flight recorder remembers, the newest on top.
"use strict";
import { ask, badge, count, el, heading, hop, href, moment, peerLink, poll, say, stream, vniLink } from "./core.js";
import { table } from "./table.js";

// Rows that are kept, at first and when asked for more, and how often what has come is drawn: thousands may come in a
// second.
const KEPT = [200, 1000, 4096], EVERY = 250;
const kinds = { added: "good", withdrawn: "soft", established: "good", closed: "warn", missed: "warn", drain: "soft", undrain: "soft", block: "warn", unblock: "soft" };

// What the filter offers: values are kinds of events, with commas. Routes come by the stream alone, these by the recorder
// alone, and sessions by both.
const routes = "added,withdrawn", sessions = "established,closed";
const recorded = "refused,near_limit,throttled,skipped,fixed_pace,large_packets_lost,late,drain,undrain,block,unblock";
const offered = [["", "all"], [routes, "routes"], [sessions, "sessions"], [recorded, "warnings and commands"],
  ...[...routes.split(","), ...sessions.split(","), ...recorded.split(",")].map((kind) => [kind, kind.replaceAll("_", " ")])];
const among = (wanted, known) => wanted.filter((kind) => known.split(",").includes(kind));

const isRoute = ({ event }) => event === "added" || event === "withdrawn";
function clock(at) {
  const text = moment(Date.parse(at) / 1000), [day, time] = text.split(" ");
  return { text: day === moment(Date.now() / 1000).split(" ")[0] ? time : text, title: text, kind: "code" };
}

// What an event is about, and what else there is to say.
function about(row) {
  if (isRoute(row)) return { text: row.destination, kind: "code" };
  if (row.event === "missed") {
    return row.count ? `${count(row.count)} events were left out: more came than this page could take` : "the stream was interrupted: events before this are missing";
  }
  if (row.peer === null) return "";
  if (row.node) return [peerLink(row.peer, row.name || row.node)];
  return row.remote ? [peerLink(row.peer), " ", { text: row.remote, kind: "code" }] : [peerLink(row.peer)];
}
function details(row) {
  if (isRoute(row)) return [{ text: "via ", kind: "soft" }, ...hop(row.next_hop)];
  return row.detail ? { text: row.detail, kind: "soft" } : row.node ? { text: row.remote, kind: "code soft" } : "";
}
function announcer(row) {
  if (!isRoute(row)) return "";
  return row.announcer === null ? { text: "several", kind: "soft" } : peerLink(row.announcer, row.announcer_name);
}

// Rows by time, of which those about sessions come by two ways.
function rowsOf() {
  let rows = [], coming = [], number = 0, kept = KEPT[0], last = "";
  const known = new Set();
  const mark = (row) => sessions.split(",").includes(row.event) ? `${row.event} ${row.peer}`
    : isRoute(row) || row.event === "missed" ? null : JSON.stringify([row.at, row.event, row.peer, row.detail]);
  return {
    // Whether it is new.
    add(event) {
      const name = mark(event);
      if (name !== null && known.has(name)) return false;
      if (name !== null) known.add(name);
      number += 1;
      // What is missing is missing behind the last that came: clocks differ.
      const at = event.at || last || new Date().toISOString();
      if (at > last) last = at;
      coming.push({ ...event, at, number });
      if (coming.length > 2 * KEPT[KEPT.length - 1]) coming = coming.slice(-KEPT[KEPT.length - 1]);
      return true;
    },
    keep: (most) => { kept = most; },
    latest() {
      const later = (a, b) => a.at === b.at ? b.number - a.number : a.at < b.at ? 1 : -1;
      rows = [...coming, ...rows].sort(later).slice(0, kept);
      coming = [];
      if (known.size > 4 * KEPT[KEPT.length - 1]) {
        known.clear();
        rows.map(mark).filter((name) => name !== null).forEach((name) => known.add(name));
      }
      return rows;
    },
  };
}

// The inputs that filter. What is chosen is in the address, and the view is shown anew.
function fieldsOf(parameters, vni, signal) {
  let typing = null;
  const go = (changes, after) => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      history.replaceState(null, "", href("/events", { vni, event: parameters.event, peer: parameters.peer, ...changes }));
      window.dispatchEvent(new Event("hashchange"));
    }, after);
  };
  signal.addEventListener("abort", () => clearTimeout(typing));
  const text = (name, label, value, placeholder, more) => el("label", {}, el("span", {}, label), el("input", {
    type: "search", name, value, placeholder, autocomplete: "off", spellcheck: "false", ...more,
    oninput: ({ target }) => go({ [name]: target.value.trim() }, 400) }));
  const known = offered.some(([value]) => value === (parameters.event || "")) ? offered : [...offered, [parameters.event, parameters.event]];
  return [
    el("label", {}, el("span", {}, "Event"), el("select", { name: "event", onchange: ({ target }) => go({ event: target.value }, 0) },
      known.map(([value, name]) => el("option", { value, selected: value === (parameters.event || "") }, name)))),
    text("peer", "Peer", parameters.peer || "", "node or number", {}),
    text("vni", "Routes of VNI", vni, "all", { inputmode: "numeric" })];
}

export function events(main, { parameters, signal }) {
  const vni = /^\d+$/.test(parameters.vni || "") ? parameters.vni : "", { event = "", peer = "" } = parameters;
  const wanted = event.split(",").filter(Boolean);
  const streamed = wanted.length ? among(wanted, `${routes},${sessions}`) : null;
  const remembered = wanted.length ? wanted.filter((kind) => !routes.split(",").includes(kind)) : null;
  const rows = rowsOf();
  let fresh = 0, unseen = 0, isPaused = false, isOpen = null, timer = null, size = 0;
  const grid = table({
    caption: "Events", id: (row) => row.number,
    empty: "The reflector remembers no event of this kind, and none has happened since you opened this view.",
    columns: [
      { title: "Time", of: (row) => clock(row.at) },
      { title: "Event", of: (row) => badge(row.event.replaceAll("_", " "), kinds[row.event] || "warn") },
      { title: "VNI", isNumber: true, of: (row) => isRoute(row) ? vniLink(row.vni) : "" },
      { title: "What", isFirst: true, of: about },
      { title: "Details", of: details },
      { title: "By", of: announcer },
    ] });
  const range = el("span", { class: "range", role: "status" }, "Listening…");
  const fault = el("p", { class: "fault", hidden: true });
  const pause = el("button", { type: "button", name: "pause", onclick: () => {
    isPaused = !isPaused;
    draw();
  } }, "Pause");
  const older = el("button", { type: "button", name: "older", hidden: true, onclick: () => {
    size += 1;
    rows.keep(KEPT[size]);
    remember({}, false).then(draw, () => {});
  } }, "Older");
  const tools = el("div", { class: "tools" }, fieldsOf(parameters, vni, signal), el("span", { class: "gap" }), range, pause);
  main.append(heading("Events"), el("section", {}, tools, fault, grid.node, el("p", { class: "foot" }, older),
    el("p", { class: "note" }, "The reflector remembers 4096 events of sessions, refusals and commands; this view shows routes only from the moment at which you opened it. " +
      "The VNI does not filter sessions; a route that came and went at once does not appear.")));

  function draw() {
    clearTimeout(timer);
    timer = null;
    say(pause, isPaused ? "Resume" : "Pause");
    if (isPaused) {
      say(range, unseen ? `Paused, ${count(unseen)} more` : "Paused");
      return;
    }
    unseen = 0;
    say(range, isOpen || streamed?.length === 0 ? `${count(fresh)} so far` : "Listening…");
    grid.show(rows.latest());
  }
  const later = () => {
    timer ??= setTimeout(draw, EVERY);
  };
  function add(row) {
    if (!rows.add(row)) return;
    fresh += 1;
    unseen += 1;
    later();
  }
  // What the recorder has. What it says first is what happened before.
  let latest = null, isBegun = false;
  async function remember(asked, isNew) {
    try {
      const answer = await ask("recorder", { event: remembered?.join(), peer, limit: KEPT[size], ...asked }, signal);
      if (signal.aborted) return;
      fault.hidden = true;
      answer.rows.forEach(isNew ? add : rows.add);
      if (!isNew) older.hidden = answer.rows.length < KEPT[size] || size === KEPT.length - 1;
      latest = answer.latest;
    } catch (error) {
      if (error.name === "AbortError") throw error;
      // A lost connection is said above.
      if (error.status !== undefined) {
        say(fault, error.message);
        fault.hidden = false;
      }
    }
  }
  async function follow() {
    const isNew = isBegun;
    isBegun = true;
    await remember({ after: latest }, isNew);
    later();
  }
  // It also opens anew: after a loss, and when the tab was hidden.
  const open = () => {
    if (isOpen !== null) add({ event: "missed" });
    isOpen = true;
    if (remembered?.length !== 0) follow().catch(() => {});
    later();
  };
  const lost = () => {
    isOpen = false;
    later();
  };
  const message = ({ data }) => add(JSON.parse(data));
  signal.addEventListener("abort", () => clearTimeout(timer));
  draw();
  if (remembered?.length !== 0) poll(2000, follow, signal);
  if (streamed?.length !== 0) {
    const query = new URLSearchParams(Object.entries({ vni, event: streamed?.join() || "", peer }).filter(([, value]) => value));
    stream(`api/v1/events${query.size ? `?${query}` : ""}`, { on: { open, message }, lost }, signal);
  }
}
