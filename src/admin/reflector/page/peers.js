// All peers, and one.
"use strict";
import { amount, ask, badge, count, el, heading, href, lasted, pacedBadge, peerLink, peerName, poll, routeId, say, section, since, stateBadge, unnamed, vniLink } from "./core.js";
import { entitle } from "./identity.js";
import { listing } from "./listing.js";
import { table } from "./table.js";
import { routeColumns, standing } from "./vnis.js";

// Rates from what was counted at the last refresh and at this one.
function rates() {
  let before = new Map(), at = 0;
  return (rows) => {
    const now = performance.now(), seconds = (now - at) / 1000;
    const after = new Map();
    for (const row of rows) {
      const sent = row.adds_sent + row.removes_sent, then = before.get(row.id);
      row.received_rate = then ? (row.updates_received - then[0]) / seconds : null;
      row.sent_rate = then ? (sent - then[1]) / seconds : null;
      after.set(row.id, [row.updates_received, sent]);
    }
    before = after;
    at = now;
  };
}

const lag = (peer) => [peer.behind ? `${count(peer.behind)} ${peer.behind === 1 ? "VNI" : "VNIs"}` : "–", peer.is_slow ? badge("slow", "warn") : null];

export function peers(main, { signal }) {
  const rate = rates();
  const all = listing({
    path: "peers", usual: "id", caption: "Peers", empty: "No peer matches.", id: (peer) => peer.id,
    fields: [
      { name: "match", label: "Find", placeholder: "node, address, agent, number" },
      { name: "state", label: "State", options: [["", "all"], ["established", "established"], ["connecting", "connecting"], ["closing", "closing"]] },
    ],
    onBefore: rate,
    columns: [
      { title: "#", sort: "id", isNumber: true, of: (peer) => peerLink(peer.id, String(peer.id)) },
      { title: "Node", sort: "node", isFirst: true, of: (peer) => peer.node ? peerLink(peer.id, peerName(peer)) : unnamed(peer.id) },
      { title: "Proven", hint: "the name that the peer's certificate proves; nothing proves the node", of: (peer) => peer.name_proven || { text: peer.transport === "tls" ? "no name" : "–", kind: "soft" } },
      { title: "Address", sort: "remote", of: (peer) => ({ text: peer.remote ?? "–", kind: "code" }) },
      { title: "State", sort: "state", of: (peer) => [stateBadge(peer), pacedBadge(peer)] },
      { title: "Agent", sort: "agent", of: (peer) => peer.agent || { text: "not said", kind: "soft" } },
      { title: "Shard", sort: "shard", isNumber: true, of: (peer) => peer.shard },
      { title: "Lag", sort: "lag", isNumber: true, hint: "VNIs of which the peer lacks routes or changes", of: lag },
      { title: "Backlog", sort: "backlog", isNumber: true, hint: "bytes that wait for the peer or are being written to it", of: (peer) => amount(peer.backlog_bytes, "bytes") },
      { title: "Routes", sort: "routes", isNumber: true, hint: "routes that the peer announces", of: (peer) => count(peer.routes) },
      { title: "VNIs", sort: "subscriptions", isNumber: true, hint: "VNIs that the peer subscribes to", of: (peer) => count(peer.subscriptions) },
      { title: "Received", sort: "updates_received", isNumber: true, hint: "updates per second; sorting goes by the total number",
        of: (peer) => ({ text: amount(peer.received_rate, "rate"), title: `${count(peer.updates_received)} in all`, unsigned: true }) },
      { title: "Sent", sort: "updates_sent", isNumber: true, hint: "updates per second; sorting goes by the total number",
        of: (peer) => ({ text: amount(peer.sent_rate, "rate"), title: `${count(peer.adds_sent + peer.removes_sent)} in all`, unsigned: true }) },
      { title: "Uptime", sort: "uptime", isNumber: true, of: (peer) => since(peer.uptime_seconds) },
    ],
  }, signal);
  main.append(heading("Peers"), el("section", {}, all.node));
}

// The names and values of everything that is known of a peer.
const facts = [
  ["Number", (peer) => `#${peer.id}`],
  ["Address", (peer) => peer.remote ?? "–"],
  ["Proven", (peer) => peer.transport === "tls" ? [peer.name_proven ?? "no name", ...peer.addresses_proven].join(", ") : "nothing: no TLS"],
  ["Agent", (peer) => peer.agent || "not said"],
  ["Kind", (peer) => peer.is_server ? "another server" : "leaf"],
  ["Extensions", (peer) => peer.capabilities.map((name) => name.replaceAll("_", " ")).join(", ") || "none"],
  ["Shard", (peer) => String(peer.shard)],
  ["Connected for", (peer) => since(peer.uptime_seconds)],
  ["Established for", (peer) => since(peer.established_seconds)],
  ["Keepalive", (peer) => peer.keepalive_seconds === null ? "–" : `${peer.keepalive_seconds} s`],
  ["Last heard", (peer) => peer.last_heard_seconds === null ? "–" : `${peer.last_heard_seconds.toFixed(1)} s ago`],
  ["Routes announced", (peer) => count(peer.routes)],
  ["Subscriptions", (peer) => count(peer.subscriptions)],
  ["Behind in", (peer) => `${count(peer.behind)} ${peer.behind === 1 ? "VNI" : "VNIs"}`],
  ["Pace", (peer) => peer.fixed_pace_reason ? `fixed rate: ${peer.fixed_pace_reason}` : peer.is_paced ? "as fast as it reads" : "full speed"],
  ["Backlog", (peer) => amount(peer.backlog_bytes, "bytes")],
  ["Write under way for", (peer) => peer.writing_seconds === null ? "–" : amount(peer.writing_seconds, "time")],
  ["Updates received", (peer) => `${count(peer.updates_received)} (${amount(peer.received_rate, "rate")})`],
  ["Updates sent", (peer) => `${count(peer.adds_sent)} added, ${count(peer.removes_sent)} removed (${amount(peer.sent_rate, "rate")})`],
  ["Bytes", (peer) => `${amount(peer.bytes_received, "bytes")} received, ${amount(peer.bytes_sent, "bytes")} sent`],
];

export function peer(main, { signal, argument }) {
  const id = Number(argument), rate = rates();
  const title = el("h1", { tabindex: "-1" }, `Peer ${id}`);
  const marks = el("span", { class: "marks" });
  const gone = el("p", { class: "fault", hidden: true });
  const values = facts.map(() => el("dd"));
  const list = el("dl", { class: "facts" }, facts.map(([name], index) => el("div", {}, el("dt", {}, name), values[index])));
  const parts = table({
    caption: "VNIs that it takes part in", empty: "The peer announces nothing and subscribes to nothing.", id: (part) => part.vni,
    columns: [
      { title: "VNI", isFirst: true, of: (part) => vniLink(part.vni) },
      { title: "Announces", isNumber: true, of: (part) => count(part.routes) },
      { title: "Subscription", of: (part) => part.subscription ? standing(part.subscription) : { text: "none", kind: "soft" } },
    ] });
  const some = el("p", { class: "note" });
  const ended = table({
    caption: "Sessions that have ended", empty: "The reflector remembers no earlier session of this node.", id: (session) => session.peer,
    columns: [
      { title: "Ended", isFirst: true, of: (session) => ({ text: `${lasted(session.ended_ago_seconds)} ago`, title: session.ended_at, unsigned: true }) },
      { title: "#", isNumber: true, of: (session) => session.peer },
      { title: "Why", of: (session) => session.detail },
      { title: "Lasted", isNumber: true, of: (session) => lasted(session.lasted_seconds) },
      { title: "Routes", isNumber: true, of: (session) => count(session.routes) },
      { title: "Address", of: (session) => ({ text: session.remote, kind: "code" }) },
    ] });
  // Who is gone is known by its number only, until its last session has told its node.
  let named = String(id);
  const showEnded = async () => {
    const { rows } = await ask("closed", { peer: named, limit: 8 }, signal);
    if (signal.aborted) return;
    if (named === String(id) && rows[0]?.node) {
      named = rows[0].node;
      say(title, named);
      return showEnded();
    }
    ended.show(rows);
  };
  const announced = listing({
    path: "routes", usual: "vni", fixed: { announcer: id }, caption: "Routes that it announces", empty: "The peer announces no route.",
    id: routeId, columns: routeColumns({ withVni: true, explain: id }), every: 3000,
  }, signal);
  main.append(
    el("div", { class: "heading" }, title, marks,
      el("a", { class: "button", href: href("/explain", { peer: id }) }, "Explain a route")),
    gone,
    el("div", { class: "aside" },
      section("Session", null, list),
      section("VNIs", null, parts.node, some)),
    section("Earlier sessions", null, ended.node, el("p", { class: "note" }, "The latest 8 sessions of the same node.")),
    section("Announces", null, announced.node));
  poll(1500, async () => {
    try {
      const peer = await ask(`peers/${id}`, {}, signal);
      if (signal.aborted) return;
      rate([peer]);
      gone.hidden = true;
      say(title, peerName(peer));
      entitle(peerName(peer));
      const badges = [stateBadge(peer), peer.is_slow ? badge("slow", "warn") : null, pacedBadge(peer), peer.is_paused ? badge("paused", "soft") : null];
      marks.replaceChildren(...badges.filter(Boolean).map(({ text, kind, title }) => el("span", title ? { class: kind, title } : { class: kind }, text)));
      facts.forEach(([, of], index) => {
        const value = of(peer);
        say(values[index], value.text ?? value);
        if (value.title) values[index].title = value.title;
      });
      const SHOWN = 200;
      parts.show(peer.vnis.slice(0, SHOWN));
      named = peer.node || named;
      await showEnded();
      say(some, peer.vnis.length > SHOWN ? `The first ${SHOWN} of ${count(peer.vnis.length)}.` : "");
    } catch (error) {
      if (error.name === "AbortError") throw error;
      say(gone, error.status === 404 ? `${error.message}. A peer that comes back has another number.` : error.message);
      gone.hidden = false;
      if (error.status === 404) await showEnded().catch(() => {});
    }
  }, signal);
}
