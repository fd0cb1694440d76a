// The reflector at a glance.
"use strict";
import { ask, badge, count, el, href, measured, pacedBadge, peerLink, peerName, poll, say, section } from "./core.js";
import { latest, listen, live } from "./live.js";
import { table } from "./table.js";
import { plot } from "./plot.js";

// Name, kind of number, value, where a click goes, what it means, and when it is a warning.
const cards = [
  ["Peers", "count", (sample) => sample.peers, "/peers"],
  ["VNIs", "count", (sample) => sample.vnis, "/vnis"],
  ["Routes", "count", (sample) => sample.routes, null],
  ["Subscriptions", "count", (sample) => sample.subscriptions, null],
  ["Updates received", "rate", (sample) => sample.updates_received_per_second, null],
  ["Updates sent", "rate", (sample) => sample.updates_sent_per_second, null],
  ["Propagation, 99%", "time", () => recent(), null, "of the last second in which anything was propagated; an upper bound"],
  ["Slow peers", "count", (sample) => sample.slow_peers, "/peers?sort=-lag",
    "behind in some VNI, or a write has hung for more than a second", (sample) => sample?.slow_peers > 0],
  ["Backlog", "bytes", (sample) => sample.backlog_bytes, "/peers?sort=-backlog", "bytes that wait for peers or are being written to them"],
  ["Processor", "cores", (sample) => sample.cpu_cores, null, "cores that the shards keep busy"],
];
const recent = () => live.samples.findLast((sample) => sample.propagation_count > 0)?.propagation_p99_seconds ?? null;

export function overview(main, { signal }) {
  const drawn = cards.map(([name, kind, of, to, hint, isBad]) => {
    const value = el("span"), unit = el("span", { class: "unit" });
    const inner = [el("span", { class: "name" }, name), el("span", { class: "value" }, value, unit)];
    const node = to ? el("a", { class: "card", href: `#${to}`, title: hint }, inner) : el("div", { class: "card", title: hint }, inner);
    return { node, show(sample) {
      const [number, name] = measured(sample ? of(sample) : null, kind);
      say(value, number);
      say(unit, name);
      node.classList.toggle("warn", isBad?.(sample) ?? false);
    } };
  });
  const plots = [
    plot({ title: "Updates", kind: "rate", isFilled: true, lines: [
      { name: "received", color: "s0", of: (sample) => sample.updates_received_per_second },
      { name: "sent", color: "s1", of: (sample) => sample.updates_sent_per_second }] }),
    plot({ title: "Propagation", kind: "time", isLog: true, lines: [
      { name: "99%", color: "s5", of: (sample) => sample.propagation_p99_seconds },
      { name: "50%", color: "s2", of: (sample) => sample.propagation_p50_seconds }] }),
    plot({ title: "Bytes", kind: "speed", isFilled: true, lines: [
      { name: "received", color: "s0", of: (sample) => sample.bytes_received_per_second },
      { name: "sent", color: "s1", of: (sample) => sample.bytes_sent_per_second }] }),
    plot({ title: "Routes", kind: "count", isFilled: true, lines: [
      { name: "announced", color: "s3", of: (sample) => sample.routes }] }),
  ];
  const slowest = table({
    caption: "Peers that lag most", empty: "No peer lags.", id: (peer) => peer.id,
    columns: [
      { title: "Peer", isFirst: true, of: (peer) => peerLink(peer.id, peerName(peer)) },
      { title: "Behind in", isNumber: true, of: (peer) => `${count(peer.behind)} ${peer.behind === 1 ? "VNI" : "VNIs"}` },
      { title: "Backlog", isNumber: true, of: (peer) => measured(peer.backlog_bytes, "bytes").join(" ") },
      { title: "Write hangs for", isNumber: true, of: (peer) => peer.writing_seconds === null ? "–" : measured(peer.writing_seconds, "time").join(" ") },
      { title: "", of: (peer) => [peer.is_slow ? badge("slow", "warn") : null, pacedBadge(peer), peer.is_paused ? badge("paused", "soft") : null] },
    ] });
  const largest = table({
    caption: "Largest VNIs", empty: "Nobody takes part in any VNI yet.", id: (vni) => vni.vni,
    columns: [
      { title: "VNI", isFirst: true, of: (vni) => ({ text: String(vni.vni), href: href(`/vni/${vni.vni}`) }) },
      { title: "Routes", isNumber: true, of: (vni) => count(vni.routes) },
      { title: "Subscribers", isNumber: true, of: (vni) => count(vni.subscribers) },
      { title: "Behind", isNumber: true, of: (vni) => count(vni.behind) },
    ] });
  main.append(
    el("h1", { class: "unseen", tabindex: "-1" }, "Overview"),
    el("div", { class: "cards" }, drawn.map((card) => card.node)),
    el("div", { class: "two" }, plots.map((one) => one.node)),
    el("div", { class: "two" },
      section("Slowest peers", null, slowest.node, el("p", { class: "more" }, el("a", { href: "#/peers?sort=-lag" }, "All peers by lag"))),
      section("Largest VNIs", null, largest.node, el("p", { class: "more" }, el("a", { href: "#/vnis?sort=-routes" }, "All VNIs by routes")))));
  listen(() => {
    drawn.forEach((card) => card.show(latest()));
    plots.forEach((one) => one.show(live.samples));
  }, signal);
  poll(2000, async () => {
    try {
      const [peers, vnis] = await Promise.all([ask("peers", { sort: "-lag", limit: 5 }, signal), ask("vnis", { sort: "-routes", limit: 5 }, signal)]);
      if (signal.aborted) return;
      // A few bytes are under way all the time.
      slowest.show(peers.rows.filter((peer) => peer.is_slow || peer.behind > 0 || peer.backlog_bytes > 100_000));
      largest.show(vnis.rows);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      // The banner says that the reflector does not answer.
    }
  }, signal);
}
