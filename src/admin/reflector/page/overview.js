// The reflector at a glance.
"use strict";
import { ask, badge, count, el, href, measured, pacedBadge, peerLink, peerName, poll, say, section } from "./core.js";
import { latest, listen, live } from "./live.js";
import { table } from "./table.js";
import { plot } from "./plot.js";

// Name, kind of number, value, where a click goes, what it means, and when it is a warning. What the tables below show as
// well is told by the answers that they show; the rest by the latest sample.
const cards = [
  ["Peers", "count", ({ peers }) => peers?.total, "/peers"],
  ["VNIs", "count", ({ vnis }) => vnis?.total, "/vnis"],
  ["Routes", "count", ({ vnis }) => vnis?.sums.routes, null],
  ["Subscriptions", "count", ({ vnis }) => vnis?.sums.subscribers, null],
  ["Updates received", "rate", ({ sample }) => sample?.updates_received_per_second, null],
  ["Updates sent", "rate", ({ sample }) => sample?.updates_sent_per_second, null],
  ["Propagation, 99%", "time", () => recent(), null, "of the last second in which anything was propagated; interpolated within a bucket of the histogram"],
  ["Slow peers", "count", ({ peers }) => peers?.sums.slow, "/peers?sort=-lag",
    "behind in some VNI, or a write has hung for more than a second", ({ peers }) => peers?.sums.slow > 0],
  ["Backlog", "bytes", ({ peers }) => peers?.sums.backlog_bytes, "/peers?sort=-backlog", "bytes that wait for peers or are being written to them"],
  ["Processor", "cores", ({ sample }) => sample?.cpu_cores, null, "cores that the shards keep busy"],
];
const recent = () => live.samples.findLast((sample) => sample.propagation_count > 0)?.propagation_p99_seconds ?? null;

export function overview(main, { signal }) {
  const drawn = cards.map(([name, kind, of, to, hint, isBad]) => {
    const value = el("span"), unit = el("span", { class: "unit" });
    const inner = [el("span", { class: "name" }, name), el("span", { class: "value" }, value, unit)];
    const node = to ? el("a", { class: "card", href: `#${to}`, title: hint }, inner) : el("div", { class: "card", title: hint }, inner);
    return { node, show(now) {
      const [number, name] = measured(of(now), kind);
      say(value, number);
      say(unit, name);
      node.classList.toggle("warn", isBad?.(now) ?? false);
    } };
  });
  const plots = [
    plot({ title: "Updates", kind: "rate", isLog: true, lines: [
      { name: "received", color: "s0", of: (sample) => sample.updates_received_per_second },
      { name: "sent", color: "s1", of: (sample) => sample.updates_sent_per_second }] }),
    plot({ title: "Propagation", kind: "time", isLog: true, lines: [
      { name: "99%", color: "s5", of: (sample) => sample.propagation_p99_seconds },
      { name: "50%", color: "s2", of: (sample) => sample.propagation_p50_seconds }] }),
    plot({ title: "Bytes", kind: "speed", isLog: true, lines: [
      { name: "received", color: "s0", of: (sample) => sample.bytes_received_per_second },
      { name: "sent", color: "s1", of: (sample) => sample.bytes_sent_per_second }] }),
    plot({ title: "Routes", kind: "count", isFilled: true, hasNow: false, lines: [
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
    caption: "Largest VNIs", empty: "No peer announces in a VNI or subscribes to one yet.", id: (vni) => vni.vni,
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
  // The answers that the tables show.
  let answers = {};
  const showCards = () => drawn.forEach((card) => card.show({ sample: latest(), ...answers }));
  listen(() => {
    showCards();
    plots.forEach((one) => one.show(live.samples));
  }, signal);
  poll(2000, async () => {
    try {
      const [peers, vnis] = await Promise.all([ask("peers", { sort: "-lag", limit: 5 }, signal), ask("vnis", { sort: "-routes", limit: 5 }, signal)]);
      if (signal.aborted) return;
      answers = { peers, vnis };
      showCards();
      // A few bytes are under way all the time.
      const isBacklog = peers.sums.backlog_bytes > 100_000;
      slowest.show(peers.rows.filter((peer) => peer.is_slow || peer.behind > 0 || (isBacklog && peer.backlog_bytes > 0)));
      largest.show(vnis.rows);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      // The banner says that the reflector does not answer.
    }
  }, signal);
}
