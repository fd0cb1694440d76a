// One box for everything, and why a peer has a route or lacks it.
"use strict";
import { ask, badge, count, el, heading, href, peerLink, peerName, poll, routeId, say, section, stateBadge, vniLink } from "./core.js";
import { listing } from "./listing.js";
import { table } from "./table.js";
import { routeColumns } from "./vnis.js";

const isV4 = (text) => /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split(".").every((part) => Number(part) < 256);
const isAddress = (text) => isV4(text) || (text.includes(":") && /^[0-9a-f:.]+$/i.test(text) && !/^\[/.test(text));
const isPrefix = (text) => /^[^/]+\/\d{1,3}$/.test(text) && isAddress(text.split("/")[0]);

// What a text may mean.
export function meanings(text) {
  if (isPrefix(text)) {
    return [["Exactly this prefix", { prefix: text }], ["Within this prefix", { within: text }]];
  }
  if (isAddress(text)) {
    return [["Longest match for this address", { address: text }], ["Routes via this next hop", { next_hop: text }]];
  }
  const number = /^#?(\d+)$/.exec(text);
  return number ? [[`Announced by peer ${number[1]}`, { announcer: number[1] }]] : [];
}

export function search(main, { parameters, signal }) {
  const q = (parameters.q || "").trim();
  main.append(heading("Search"));
  if (!q) {
    main.append(el("section", {}, el("p", { class: "empty" }, "Type into the field above: a prefix, an address, a VNI, or the node, address or number of a peer. The key / moves the cursor there.")));
    return;
  }
  main.append(el("p", { class: "lead" }, "For ", el("b", {}, q), " in all VNIs"));
  const asked = meanings(q), chosen = Math.min(Number(parameters.kind) || 0, Math.max(0, asked.length - 1));
  if (asked.length) {
    const [title, fixed] = asked[chosen];
    if (asked.length > 1) {
      main.append(el("div", { class: "tabs" }, asked.map(([name], index) =>
        el("a", { href: href("/search", { q, kind: index || "" }), "aria-current": index === chosen ? "page" : null }, name))));
    }
    const routes = listing({ path: "routes", usual: "vni", fixed, caption: title, empty: "No route.", id: routeId,
      columns: routeColumns({ withVni: true }), fields: [], every: 3000 }, signal);
    main.append(asked.length > 1 ? el("section", {}, routes.node) : section(title, null, routes.node));
  }
  const found = table({
    caption: "Peers", empty: "No peer.", id: (peer) => peer.id,
    columns: [
      { title: "#", isNumber: true, of: (peer) => peerLink(peer.id, String(peer.id)) },
      { title: "Node", isFirst: true, of: (peer) => peerLink(peer.id, peerName(peer)) },
      { title: "Address", of: (peer) => ({ text: peer.remote ?? "–", kind: "code" }) },
      { title: "State", of: (peer) => stateBadge(peer) },
      { title: "Agent", of: (peer) => peer.agent || { text: "not said", kind: "soft" } },
    ] });
  const all = el("p", { class: "more" });
  main.append(section("Peers", null, found.node, all));
  let networks = null;
  if (/^\d+$/.test(q)) {
    networks = table({
      caption: "VNIs", empty: "No VNI.", id: (vni) => vni.vni,
      columns: [
        { title: "VNI", isFirst: true, of: (vni) => vniLink(vni.vni) },
        { title: "Routes", isNumber: true, of: (vni) => count(vni.routes) },
        { title: "Subscribers", isNumber: true, of: (vni) => count(vni.subscribers) },
      ] });
    main.append(section("VNIs", null, networks.node));
  }
  poll(3000, async () => {
    try {
      const peers = await ask("peers", { match: q, limit: 20, sort: "id" }, signal);
      if (signal.aborted) return;
      found.show(peers.rows);
      if (peers.next) all.replaceChildren(el("a", { href: href("/peers", { match: q }) }, `All ${count(peers.total)} peers`));
      if (networks) networks.show((await ask("vnis", { match: q, limit: 20, sort: "vni" }, signal)).rows);
    } catch (error) {
      if (error.name === "AbortError") throw error;
    }
  }, signal);
}

const verdicts = {
  sent: ["good", "Sent", "the reflector has handed every route of this destination that the peer should have to its socket"],
  waits: ["warn", "Waits", "the reflector has not yet sent the peer every route of this destination that it should have"],
  not_owed: ["soft", "Not owed", "the peer should not have a route of this destination"],
};

export function explain(main, { parameters, signal }) {
  const fields = [["peer", "Peer", "node, number or address"], ["vni", "VNI", "number"], ["destination", "Destination", "10.0.0.1/32"]];
  const form = el("form", { class: "form", onsubmit: (event) => {
    event.preventDefault();
    location.hash = href("/explain", Object.fromEntries(fields.map(([name]) => [name, form.elements[name].value.trim()])));
  } }, fields.map(([name, label, placeholder]) => el("label", {}, el("span", {}, label),
    el("input", { name, placeholder, value: parameters[name] || "", required: true, autocomplete: "off", spellcheck: "false" }))),
  el("button", { type: "submit" }, "Explain"));
  main.append(heading("Explain"),
    el("section", {}, el("p", { class: "note" }, "Whether a peer has the routes of a destination, and why."), form));
  if (fields.some(([name]) => !parameters[name])) return;
  const result = el("section", { role: "status" });
  main.append(result);
  let shown = null;
  poll(2000, async () => {
    try {
      const asked = Object.fromEntries(fields.map(([name]) => [name, parameters[name]]));
      const { verdict, reasons } = await ask("explain", asked, signal);
      if (signal.aborted) return;
      const mark = JSON.stringify([verdict, reasons]);
      if (mark === shown) return;
      shown = mark;
      const [kind, title, text] = verdicts[verdict] || ["soft", verdict, ""];
      result.replaceChildren(el("p", { class: `verdict ${kind}` }, el("b", {}, title), ` ${text}`),
        el("ul", { class: "reasons" }, reasons.map((reason) => el("li", {}, reason))));
    } catch (error) {
      if (error.name === "AbortError") throw error;
      shown = null;
      result.replaceChildren(el("p", { class: "fault" }, error.message));
    }
  }, signal);
}
