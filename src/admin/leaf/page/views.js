// The leaf at a glance, and one VNI with its routes.
"use strict";
import { ask, badge, count, el, heading, hop, href, lasted, place, poll, routeId, say, section, since, vniLink } from "./core.js";
import { table } from "./table.js";

const soft = (text) => ({ text, kind: "soft" });
const code = (text) => ({ text, kind: "code" });
const listed = (texts) => texts.flatMap((text, index) => index ? [", ", code(text)] : [code(text)]);

// One page of a listing, in order; `after` in the address says which. `hear` takes each answer.
function paged({ path, fixed = {}, hear, ...about }, signal) {
  const here = place(), { after, ...kept } = here.parameters;
  const grid = table(about);
  const fault = el("p", { class: "fault", hidden: true });
  const first = el("a", { class: "button", name: "first", href: href(here.path, kept), hidden: !after }, "First page");
  const on = el("a", { class: "button", name: "next", hidden: true }, "Next page");
  const foot = el("div", { class: "foot", hidden: true }, el("span", { class: "paging" }, first, on));
  poll(2000, async () => {
    try {
      const answer = await ask(path, { ...fixed, after, limit: 100 }, signal);
      if (signal.aborted) return;
      fault.hidden = true;
      grid.show(answer.rows);
      on.hidden = !answer.next;
      foot.hidden = !after && !answer.next;
      if (answer.next) on.setAttribute("href", href(here.path, { ...kept, after: answer.next }));
      hear?.(answer);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      say(fault, error.message);
      fault.hidden = false;
    }
  }, signal);
  return el("div", {}, fault, grid.node, foot);
}

// Asks for an address or a prefix in a VNI.
function lookUp(vni, find) {
  const field = (name, label, placeholder, value, more) => el("label", {}, el("span", {}, label),
    el("input", { name, placeholder, value, autocomplete: "off", spellcheck: "false", ...more }));
  const form = el("form", { class: "form", role: "search", onsubmit: (event) => {
    event.preventDefault();
    const value = (name) => event.target.elements[name].value.trim();
    location.hash = href(`/vni/${value("vni")}`, { find: value("find") });
  } }, field("vni", "VNI", "number", vni, { required: true, pattern: "\\d+", inputmode: "numeric" }),
  field("find", "Address or prefix", "10.0.0.1 or 10.0.0.0/24", find), el("button", { type: "submit" }, "Look up"));
  return section("Routes of an address", "longest match of an address, or exactly a prefix; an empty field shows all routes", form);
}

const states = { established: "good", retry: "warn" };
const serverColumns = [
  { title: "Server", isFirst: true, of: (server) => code(server.address) },
  { title: "State", of: (server) => badge(server.state.replace("_", " "), states[server.state] || "soft") },
  { title: "For", isNumber: true, of: (server) => since(server.since_seconds) },
  { title: "VNIs complete", isNumber: true, hint: "VNIs of which the server has sent its complete table", of: (server) => count(server.whole_count) },
  { title: "Last error", of: (server) => server.last_error ? { text: server.last_error, kind: server.state === "established" ? "wrap soft" : "wrap warn" } : "–" },
  { title: "Node", of: (server) => server.node || soft("not said") },
  { title: "Agent", of: (server) => server.agent || soft("not said") },
  { title: "Keepalive", isNumber: true, of: (server) => lasted(server.keepalive_seconds) },
  { title: "Last heard", isNumber: true, of: (server) => lasted(server.last_keepalive_seconds) },
  { title: "Sessions", isNumber: true, of: (server) => count(server.sessions) },
];
// Whether the table of a VNI is complete, as parts of a cell.
const wholeness = ({ is_whole, missing }) => is_whole ? badge("complete", "good") : [badge("incomplete", "warn"), { text: ` ${missing}`, kind: "wrap" }];
const vniColumns = [
  { title: "VNI", isFirst: true, of: (vni) => vniLink(vni.vni) },
  { title: "Routes", isNumber: true, of: (vni) => count(vni.routes) },
  { title: "Refused", isNumber: true, hint: "routes that servers announce and that the leaf refuses because of max-routes or max-routes-per-vni", of: (vni) => vni.refused ? { text: count(vni.refused), kind: "bad" } : "0" },
  { title: "Stale", isNumber: true, hint: "routes that no server has now and that the leaf keeps for the stale time", of: (vni) => vni.stale ? { text: count(vni.stale), kind: "warn" } : "0" },
  { title: "Table", of: wholeness },
  { title: "In sync with", of: (vni) => vni.in_sync.length ? listed(vni.in_sync) : "–" },
  { title: "Awaited", hint: "connected servers that have not sent their complete table yet", of: (vni) => vni.awaited.length ? listed(vni.awaited) : "–" },
];

// Routes that cannot be installed because of their next hop: how many and why, for each reason.
export const unusableRoutes = (kernel) => Object.entries(kernel?.unusable || {}).filter(([, routes]) => routes)
  .map(([reason, routes]) => `${count(routes)} ${reason.replaceAll("_", " ")}`);

// Name, text, and when it is a warning.
const cards = [
  ["Servers connected", ({ servers }) => `${servers.filter(({ state }) => state === "established").length} of ${servers.length}`,
    ({ servers }) => servers.some(({ state }) => state !== "established")],
  ["VNIs complete", ({ vnis }) => `${count(vnis.total - vnis.not_whole)} of ${count(vnis.total)}`, ({ vnis }) => vnis.not_whole > 0],
  ["Routes known", ({ vnis }) => count(vnis.routes), () => false],
  ["Routes in the kernel", ({ kernel }) => kernel ? `${count(kernel.installed)} of ${count(kernel.desired)}` : "–",
    ({ kernel }) => kernel && kernel.installed < kernel.desired],
  ["Tunnel device", ({ kernel }) => kernel ? (kernel.device_up ? "up" : "down") : "–", ({ kernel }) => kernel && !kernel.device_up],
];
const facts = [
  ["Device", ({ device_up }) => device_up ? "up" : "missing or down"],
  ["Desired", ({ desired }) => count(desired)], ["Installed", ({ installed }) => count(installed)],
  ["Refused", ({ refused }) => count(refused)], ["In conflict", ({ conflicts }) => count(conflicts)],
  ["Unusable next hop", (kernel) => unusableRoutes(kernel).join(", ") || "0"],
  ["Nexthop objects", ({ nexthop_objects }) => count(nexthop_objects)], ["Repairs", ({ repairs }) => count(repairs)],
  ["Requests", ({ requests }) => count(requests)], ["Refusals", ({ refusals }) => count(refusals)],
  ["Comparisons", ({ reconciles }) => count(reconciles)],
];

export function overview(main, { parameters, signal, listen }) {
  const drawn = cards.map(([name, of, isWrong]) => {
    const value = el("span");
    const node = el("div", { class: "card" }, el("span", { class: "name" }, name), el("span", { class: "value" }, value));
    return { node, show(leaf) {
      say(value, of(leaf));
      node.classList.toggle("warn", Boolean(isWrong(leaf)));
    } };
  });
  const servers = table({ columns: serverColumns, id: (server) => server.address, caption: "Servers", empty: "The leaf has no server." });
  const isAll = parameters.whole !== "false";
  const vnis = paged({ path: "vnis", fixed: { whole: isAll ? "" : "false" }, columns: vniColumns, id: (vni) => vni.vni,
    caption: "VNIs", empty: isAll ? "The leaf subscribes to no VNI." : "The leaf has the complete table of every VNI." }, signal);
  const tab = (whole, text, isHere) => el("a", { href: href("/", { whole }), "aria-current": isHere ? "page" : null }, text);
  const values = facts.map(() => el("dd"));
  const list = el("dl", { class: "facts", hidden: true }, facts.map(([name], index) => el("div", {}, el("dt", {}, name), values[index])));
  const none = el("p", { class: "empty", hidden: true }, "The leaf installs no routes: it runs without --install-routes.");
  main.append(
    el("h1", { class: "unseen", tabindex: "-1" }, "Overview"),
    el("div", { class: "cards" }, drawn.map((card) => card.node)),
    lookUp("", ""),
    section("Servers", null, servers.node),
    section("VNIs", null, el("div", { class: "tabs" }, tab("", "All", isAll), tab("false", "Incomplete", !isAll)), vnis),
    section("Kernel", null, list, none));
  listen((leaf) => {
    drawn.forEach((card) => card.show(leaf));
    servers.show(leaf.servers);
    list.hidden = !leaf.kernel;
    none.hidden = leaf.kernel !== null;
    if (leaf.kernel) facts.forEach(([, of], index) => say(values[index], of(leaf.kernel)));
  }, signal);
}

export function vni(main, { argument, parameters, signal }) {
  const number = Number(argument), find = parameters.find || "";
  const standing = el("p", { class: "lead" });
  const wanted = !find ? {} : find.includes("/") ? { prefix: find } : { address: find };
  const routes = paged({ path: "routes", fixed: { vni: argument, ...wanted }, id: routeId,
    caption: `Routes of VNI ${argument}`, empty: find ? "No route." : "No route is known.",
    columns: [
      { title: "Destination", isFirst: true, of: (route) => code(route.destination) },
      { title: "Next hop", of: (route) => hop(route.next_hop) },
      { title: "From", of: (route) => route.is_stale ? badge("stale: no server has it now", "warn") : listed(route.servers) },
    ] }, signal);
  main.append(heading(`VNI ${argument}`, el("a", { class: "button", href: "#/" }, "Overview")), standing,
    lookUp(argument, find), el("section", {}, routes));
  poll(2000, async () => {
    try {
      const { rows } = await ask("vnis", { vni: argument, limit: 1 }, signal);
      if (signal.aborted) return;
      const row = rows.find(({ vni }) => vni === number);
      say(standing, row ? `Routes: ${count(row.routes)}, ${row.stale ? `${count(row.stale)} of them stale, ` : ""}`
        + (row.is_whole ? `table complete from ${row.in_sync.join(" and ")}` : `table incomplete: ${row.missing}`)
        : "The leaf does not subscribe to this VNI.");
    } catch (error) {
      if (error.name === "AbortError") throw error;
    }
  }, signal);
}
