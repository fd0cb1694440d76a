// The other sites, and how they are reached.
"use strict";
import { ask, badge, count, el, heading, measured, poll, say, since } from "./core.js";
import { table } from "./table.js";

const kinds = { live: "good", warming: "soft", draining: "warn", stale: "warn", above_limit: "bad", gone: "bad", unheard: "soft" };
const meanings = {
  warming: "its process is new, and some of its leaves may not be back", draining: "about to end: its routes stay for the stale time",
  stale: "silent: its routes stay for the stale time", above_limit: "it has more routes than federation-max-routes-per-site", gone: "away for longer than the stale time: its routes are withdrawn",
  unheard: "no heartbeat of it has come yet",
};
const time = (seconds) => seconds === null ? "–" : measured(Math.max(seconds, 0), "time").join(" ");

// One sentence about the connection, and what is wrong.
function engine(now) {
  const server = now.server_version ? `nats-server ${now.server_version} at ${now.server_address}` : "a NATS server";
  if (!now.is_connected) return [`Site ${now.site} is not connected to ${server}: it works alone.`, now.error];
  const answers = now.round_trip_seconds === null ? "which does not answer" : `which answers in ${time(now.round_trip_seconds)}`;
  return [`Site ${now.site} is connected to ${server}, ${answers}.`, now.error];
}

function twin(now) {
  if (now.twin === null) return null;
  return now.twin ? "Another reflector has the name of this site and came first: this reflector sends nothing to other sites."
    : "Another reflector has the name of this site: that reflector came later and sends nothing to other sites.";
}

export function sites(main, { signal }) {
  const first = el("p"), wrong = el("p", { class: "fault", hidden: true }), second = el("p", { class: "soft" });
  const all = table({
    caption: "Other sites", empty: "No other site has been heard of.", id: (site) => site.site,
    columns: [
      { title: "Site", isFirst: true, of: (site) => site.site },
      { title: "State", of: (site) => [badge(site.state.replace("_", " "), kinds[site.state]), meanings[site.state] ? { text: ` ${meanings[site.state]}`, kind: "soft" } : null] },
      { title: "Heard", isNumber: true, hint: "time since its last message", of: (site) => time(site.heard_seconds) },
      { title: "Lag", isNumber: true, hint: "age of its latest change when it arrived, by the clocks of both sites", of: (site) => time(site.lag_seconds) },
      { title: "Routes", isNumber: true, hint: "routes of the site in the tables here", of: (site) => count(site.routes) },
      { title: "VNIs in sync", isNumber: true, hint: "VNIs wanted here whose routes equal those of the site", of: (site) => count(site.vnis_in_sync) },
      { title: "Changes", isNumber: true, of: (site) => count(site.changes_received) },
      { title: "Gaps", isNumber: true, hint: "times at which messages were lost; after each, the reflector requested the routes again", of: (site) => count(site.gaps) },
      { title: "Up for", isNumber: true, of: (site) => since(site.uptime_seconds) },
      { title: "Agent", of: (site) => site.agent },
    ],
  });
  main.append(heading("Sites"), first, wrong, second, el("section", {}, all.node));
  poll(2000, async () => {
    try {
      const now = await ask("federation", {}, signal);
      if (signal.aborted) return;
      if (now === null) {
        say(first, "This reflector exchanges routes with no other site.");
        all.node.hidden = true;
        return;
      }
      const [sentence, error] = engine(now);
      say(first, sentence);
      say(wrong, [twin(now), error].filter(Boolean).join(" "));
      wrong.hidden = !wrong.textContent;
      say(second, `VNIs that leaves here want: ${count(now.vnis_wanted)}; VNIs that other sites want: ${count(now.vnis_exported)}. ` +
        `${count(now.vnis_behind)} of these wait for the NATS server, ${count(now.snapshots_awaited)} for snapshots.`);
      all.show(now.sites);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      // The banner says that the reflector does not answer.
    }
  }, signal);
}
