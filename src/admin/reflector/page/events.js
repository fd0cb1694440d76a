// Routes and sessions as they come and go, the newest on top.
"use strict";
import { badge, count, el, heading, hop, href, moment, peerLink, say, stream, vniLink } from "./core.js";
import { table } from "./table.js";

// Rows that are kept, and how often what has come is drawn: thousands may come in a second.
const KEPT = 200, EVERY = 250;
const kinds = { added: "good", withdrawn: "soft", established: "good", closed: "warn", missed: "warn" };

const isRoute = ({ event }) => event === "added" || event === "withdrawn";
const clock = (at) => ({ text: new Date(at).toTimeString().slice(0, 8), title: moment(at / 1000), kind: "code" });

// What an event is about, and what else there is to say.
function about(row) {
  if (isRoute(row)) return { text: row.destination, kind: "code" };
  if (row.event === "missed") {
    return row.count ? `${count(row.count)} events were left out: more came than this page could take` : "the stream was interrupted: events before this are missing";
  }
  return row.node ? [peerLink(row.peer, row.name)] : [peerLink(row.peer), " ", { text: row.remote, kind: "code" }];
}
function details(row) {
  if (isRoute(row)) return [{ text: "via ", kind: "soft" }, ...hop(row.next_hop)];
  return row.detail ? { text: row.detail, kind: "soft" } : row.node ? { text: row.remote, kind: "code soft" } : "";
}
function announcer(row) {
  if (!isRoute(row)) return "";
  return row.announcer === null ? { text: "several", kind: "soft" } : peerLink(row.announcer, row.announcer_name);
}

export function events(main, { parameters, signal }) {
  const vni = /^\d+$/.test(parameters.vni || "") ? parameters.vni : "";
  let rows = [], number = 0, unseen = 0, isPaused = false, isOpen = null, timer = null;
  const grid = table({
    caption: "Events", id: (row) => row.number,
    empty: vni ? `Nothing has happened in VNI ${vni} since this view was opened.` : "Nothing has happened since this view was opened.",
    columns: [
      { title: "Time", of: (row) => clock(row.at) },
      { title: "Event", of: (row) => badge(row.event, kinds[row.event]) },
      { title: "VNI", isNumber: true, of: (row) => isRoute(row) ? vniLink(row.vni) : "" },
      { title: "What", isFirst: true, of: about },
      { title: "Details", of: details },
      { title: "By", of: announcer },
    ] });
  const range = el("span", { class: "range", role: "status" }, "Listening…");
  const pause = el("button", { type: "button", name: "pause", onclick: () => {
    isPaused = !isPaused;
    draw();
  } }, "Pause");
  let typing = null;
  const field = el("input", { type: "search", name: "vni", value: vni, placeholder: "all", inputmode: "numeric", autocomplete: "off", oninput: () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      history.replaceState(null, "", href("/events", { vni: field.value.trim() }));
      window.dispatchEvent(new Event("hashchange"));
    }, 400);
  } });
  const tools = el("div", { class: "tools" }, el("label", {}, el("span", {}, "Routes of VNI"), field), el("span", { class: "gap" }), range, pause);
  main.append(heading("Events"), el("section", {}, tools, grid.node,
    el("p", { class: "foot note" }, `The latest ${KEPT}, since this view was opened. Sessions are shown whatever the VNI; what came and went at once does not show.`)));

  function draw() {
    clearTimeout(timer);
    timer = null;
    say(pause, isPaused ? "Go on" : "Pause");
    if (isPaused) {
      say(range, unseen ? `Paused, ${count(unseen)} more` : "Paused");
      return;
    }
    unseen = 0;
    say(range, isOpen ? `${count(number)} so far` : "Listening…");
    grid.show(rows);
  }
  const later = () => {
    timer ??= setTimeout(draw, EVERY);
  };
  function add(event) {
    number += 1;
    unseen += 1;
    rows = [{ ...event, number, at: Date.parse(event.at) || Date.now() }, ...rows.slice(0, KEPT - 1)];
    later();
  }
  // It also opens anew: after a loss, and when the tab was hidden.
  const open = () => {
    if (isOpen !== null) add({ event: "missed" });
    isOpen = true;
    later();
  };
  const lost = () => {
    isOpen = false;
    later();
  };
  const message = ({ data }) => add(JSON.parse(data));
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    clearTimeout(typing);
  });
  draw();
  stream(`api/v1/events${vni ? `?vni=${vni}` : ""}`, { on: { open, message }, lost }, signal);
}
