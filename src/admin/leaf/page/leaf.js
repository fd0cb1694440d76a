// How it stands with the leaf, asked again and again; which view is shown, and what is wrong.
"use strict";
import { ask, count, place, poll } from "./core.js";
import { arrive, present, tell } from "./frame.js";
import { overview, unusableRoutes, vni } from "./views.js";

const views = [[/^\/$/, overview, "MetalBond leaf"], [/^\/vni\/(\d+)$/, vni, "VNI"]];
const always = new AbortController().signal;
// What the leaf said last: servers; counts of all VNIs; the kernel, null where routes are not
// installed, undefined while that is not known.
const leaf = { isUp: null, servers: null, vnis: null, kernel: undefined };
const listeners = new Set();

function listen(hear, signal) {
  listeners.add(hear);
  signal.addEventListener("abort", () => listeners.delete(hear));
  if (leaf.servers) hear(leaf);
}

function wrong() {
  if (leaf.isUp === false) return [["bad", "The leaf does not answer. This page shows its last answer, and asks again every two seconds."]];
  const found = [], { servers, vnis, kernel } = leaf;
  if (servers && !servers.some(({ state }) => state === "established")) {
    found.push(["bad", servers.length ? "No server is connected. The leaf keeps its routes until the stale time is over." : "The leaf has no server: give one with --server."]);
  }
  if (vnis?.not_whole) found.push(["warn", `VNIs whose table is not complete: ${count(vnis.not_whole)} of ${count(vnis.total)}.`]);
  if (kernel?.silent_seconds >= 5) found.push(["bad", `The kernel has not answered for ${count(Math.floor(kernel.silent_seconds))} s. This page shows its state before that.`]);
  if (kernel && !kernel.device_up) found.push(["bad", "The tunnel device is missing or down: the kernel has no route of the leaf."]);
  if (kernel?.refused) found.push(["warn", `Routes that the kernel refuses: ${count(kernel.refused)}. Its reasons are in the log.`]);
  if (kernel?.conflicts) found.push(["warn", `Routes that cannot be installed because a route of another protocol has their place: ${count(kernel.conflicts)}.`]);
  const unusable = unusableRoutes(kernel);
  if (unusable.length) found.push(["warn", `Routes that cannot be installed because of their next hop: ${unusable.join(", ")}.`]);
  return found;
}

function changed(news) {
  Object.assign(leaf, news);
  tell(leaf.isUp, wrong());
  if (leaf.servers) for (const hear of listeners) hear(leaf);
}
// Each is asked by itself: none waits for another's answer.
function follow(question) {
  poll(2000, async () => {
    try {
      changed({ isUp: true, ...await question() });
    } catch (error) {
      if (error.status === undefined) changed({ isUp: false });
    }
  }, always);
}
follow(async () => {
  const [servers, vnis] = await Promise.all([ask("servers"), ask("vnis", { limit: 1 })]);
  return { servers: servers.rows, vnis };
});
follow(async () => ({ kernel: await ask("kernel") }));

function show() {
  const now = place();
  const entitle = (name, argument) => {
    document.title = argument ? `${name} ${argument} – MetalBond leaf` : name;
  };
  present(views, now, entitle, { listen });
  arrive(now.path, false);
}
window.addEventListener("hashchange", show);
show();
