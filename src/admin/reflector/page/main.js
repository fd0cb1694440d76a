// Which view is shown, the search box, and what is wrong.
"use strict";
import { href, place } from "./core.js";
import { events } from "./events.js";
import { arrive, present, tell } from "./frame.js";
import { entitle, identify, tick } from "./identity.js";
import { latest, listen, live, start } from "./live.js";
import { overview } from "./overview.js";
import { peer, peers } from "./peers.js";
import { reflectors } from "./reflectors.js";
import { explain, search } from "./search.js";
import { sites } from "./sites.js";
import { vni, vnis } from "./vnis.js";

const views = [
  [/^\/$/, overview, "Overview"],
  [/^\/peers$/, peers, "Peers"],
  [/^\/peer\/(\d+)$/, peer, "Peer"],
  [/^\/vnis$/, vnis, "VNIs"],
  [/^\/vni\/(\d+)$/, vni, "VNI"],
  [/^\/reflectors$/, reflectors, "Reflectors"],
  [/^\/sites$/, sites, "Sites"],
  [/^\/events$/, events, "Events"],
  [/^\/search$/, search, "Search"],
  [/^\/explain$/, explain, "Explain"],
];
const main = document.getElementById("content");
const find = document.getElementById("find");
let wasUp = false;

function show() {
  const now = place(), { path, parameters } = now;
  const focused = main.contains(document.activeElement) ? document.activeElement.name : null;
  present(views, now, (name, argument) => entitle(argument ? `${name} ${argument}` : name));
  for (const link of document.querySelectorAll("nav a")) {
    const to = link.getAttribute("href").slice(1);
    const isHere = to === "/" ? path === "/" : path.startsWith(to.replace(/s$/, ""));
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (path !== "/search") find.elements.q.value = "";
  else if (find.elements.q !== document.activeElement) find.elements.q.value = parameters.q || "";
  const again = focused && main.querySelector(`[name="${focused}"]`);
  if (again) {
    again.focus();
    if (again.type === "search") again.setSelectionRange(again.value.length, again.value.length);
  }
  arrive(path, again || path === "/search");
}

find.addEventListener("submit", (event) => {
  event.preventDefault();
  const q = find.elements.q.value.trim();
  if (q) location.hash = href("/search", { q });
});
document.addEventListener("keydown", (event) => {
  const isWriting = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "/" && !isWriting && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    find.elements.q.focus();
  }
});

// What is wrong, above every view.
listen(() => {
  const sample = latest();
  const wrong = [];
  if (live.isUp === false) wrong.push(["bad", "The connection to the reflector is lost. This page shows the last data, and tries to connect again every two seconds."]);
  else if (sample) {
    if (sample.stuck_shards > 0) wrong.push(["bad", `${sample.stuck_shards} ${sample.stuck_shards === 1 ? "shard has" : "shards have"} been stuck for two seconds: see /livez.`]);
    if (sample.is_draining) wrong.push(["warn", "The reflector is draining: it takes no new sessions and ends those it has."]);
  }
  tell(live.isUp, wrong);
  // Another process may answer now.
  if (live.isUp && !wasUp) identify();
  tick();
  wasUp = live.isUp === true;
});

window.addEventListener("hashchange", show);
start();
show();
