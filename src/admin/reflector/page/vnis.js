// All VNIs, and one with its routes and subscribers.
"use strict";
import { ask, badge, count, el, heading, hop, href, peerLink, poll, routeId, say, since, stateBadge, unnamed, vniLink } from "./core.js";
import { listing } from "./listing.js";

// How far a subscription is, as parts of a cell.
export function standing({ state, behind_entries, behind_places }) {
  if (state === "in_sync") return badge("in sync", "good");
  return [badge("behind", "warn"), ` by ${count(behind_entries)} changes, ${count(behind_places)} places`];
}

// Columns of routes, wherever they are shown.
export function routeColumns({ withVni, explain }) {
  const announcers = (route) => {
    const stale = (id) => (route.stale_announcers?.includes(id) ? " (stale)" : "");
    const all = [...route.announcers.map((id, index) => peerLink(id, route.announcer_names[index] + stale(id))), ...route.sites.map((site) => ({ text: `site ${site}`, href: href("/sites") }))];
    const shown = all.slice(0, 3).flatMap((one, index) => index ? [", ", one] : [one]);
    return route.announcer_count > 3 ? [...shown, ` and ${count(route.announcer_count - 3)} more`] : shown;
  };
  return [
    withVni ? { title: "VNI", sort: "vni", of: (route) => vniLink(route.vni) } : null,
    { title: "Destination", sort: "destination", isFirst: true, of: (route) => ({ text: route.destination, kind: "code" }) },
    { title: "Next hop", sort: "next_hop", of: (route) => hop(route.next_hop) },
    { title: "Announced by", sort: "announcer", of: announcers },
    { title: "Age", sort: "age", isNumber: true, of: (route) => since(route.age_seconds) },
    { title: "", isNumber: true, of: (route) => ({ text: "explain", kind: "quiet", href: href("/explain", { vni: route.vni, destination: route.destination, peer: explain }) }) },
  ].filter(Boolean);
}

export function vnis(main, { signal }) {
  const all = listing({
    path: "vnis", usual: "vni", caption: "VNIs", empty: "No VNI matches.", id: (vni) => vni.vni,
    fields: [{ name: "match", label: "Find", placeholder: "number begins with" }],
    columns: [
      { title: "VNI", sort: "vni", isFirst: true, of: (vni) => vniLink(vni.vni) },
      { title: "Routes", sort: "routes", isNumber: true, of: (vni) => count(vni.routes) },
      { title: "Members", sort: "members", isNumber: true, hint: "peers that subscribe or announce", of: (vni) => count(vni.members) },
      { title: "Subscribers", sort: "subscribers", isNumber: true, of: (vni) => count(vni.subscribers) },
      { title: "Behind", sort: "behind", isNumber: true, hint: "subscribers that lack routes or changes", of: (vni) => vni.behind ? { text: count(vni.behind), kind: "warn" } : "0" },
      { title: "Shard", sort: "shard", isNumber: true, of: (vni) => vni.shard },
    ],
  }, signal);
  main.append(heading("VNIs"), el("section", {}, all.node));
}

export function vni(main, { signal, argument, parameters }) {
  const number = Number(argument);
  const names = [["routes", "Routes"], ["subscribers", "Subscribers"], ["members", "Members"], ["behind", "Behind"],
    ["tombstones", "Tombstones"], ["journal", "Journal entries"], ["shard", "Shard"]];
  const values = names.map(() => el("span"));
  const gone = el("p", { class: "fault", hidden: true });
  const isRoutes = parameters.tab !== "subscribers";
  // What the listing below says as well is told by its answers, so that no card contradicts it.
  const listed = {};
  const tells = (name) => ({ total }, isAll) => {
    if (!isAll) return;
    listed[name] = total;
    say(values[names.findIndex(([own]) => own === name)], count(total));
  };
  const tab = (name, text, isHere) => el("a", { href: href(`/vni/${number}`, { tab: name }), "aria-current": isHere ? "page" : null }, text);
  main.append(heading(`VNI ${number}`), gone,
    el("div", { class: "cards small" }, names.map(([, name], index) =>
      el("div", { class: "card" }, el("span", { class: "name" }, name), el("span", { class: "value" }, values[index])))),
    el("div", { class: "tabs" }, tab("", "Routes", isRoutes), tab("subscribers", "Subscribers", !isRoutes)));
  poll(2000, async () => {
    try {
      const info = await ask(`vnis/${number}`, {}, signal);
      if (signal.aborted) return;
      gone.hidden = true;
      names.forEach(([name], index) => say(values[index], count(listed[name] ?? info[name])));
    } catch (error) {
      if (error.name === "AbortError") throw error;
      say(gone, error.status === 404 ? `No peer announces in VNI ${number} or subscribes to it.` : error.message);
      gone.hidden = false;
    }
  }, signal);
  if (isRoutes) {
    const routes = listing({
      path: `vnis/${number}/routes`, usual: "destination", caption: `Routes of VNI ${number}`, empty: "No route matches.", id: routeId,
      fields: [
        { name: "address", label: "Longest match", placeholder: "address" },
        { name: "within", label: "Within", placeholder: "prefix" },
        { name: "next_hop", label: "Next hop", placeholder: "underlay address" },
        { name: "announcer", label: "Announcer", placeholder: "peer's node or number" },
      ],
      columns: routeColumns({ withVni: false }), onAnswer: tells("routes"),
    }, signal);
    main.append(el("section", {}, routes.node));
  } else {
    subscribers(main, number, tells("subscribers"), signal);
  }
}

function subscribers(main, number, onAnswer, signal) {
  const soft = (text) => ({ text, kind: "soft" });
  const all = listing({
    path: "subscriptions", usual: "peer", fixed: { vni: number }, caption: `Subscribers of VNI ${number}`, empty: "No subscriber matches.", id: (row) => row.peer, onAnswer,
    fields: [{ name: "match", label: "Find", placeholder: "node, address, agent, number" }],
    columns: [
      { title: "#", sort: "peer", isNumber: true, of: (row) => peerLink(row.peer, String(row.peer)) },
      { title: "Node", sort: "node", isFirst: true, of: (row) => row.node ? peerLink(row.peer, row.name || row.node) : row.peer_state ? unnamed(row.peer) : [peerLink(row.peer), soft(" has just gone")] },
      { title: "Address", sort: "remote", of: (row) => ({ text: row.remote ?? "–", kind: "code" }) },
      { title: "State", sort: "peer_state", of: (row) => row.peer_state ? [stateBadge({ state: row.peer_state, is_slow: row.is_slow }), row.is_slow ? badge("slow", "warn") : null] : "–" },
      { title: "Standing", sort: "lag", hint: "how much of this VNI the subscriber lacks", of: (row) => standing(row) },
      { title: "Shard", sort: "shard", isNumber: true, of: (row) => row.shard },
    ],
  }, signal);
  main.append(el("section", {}, all.node));
}
