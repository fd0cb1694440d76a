// Which process this is, since when it serves and its sessions live, and whether there are other sites or, of a proxy, reflectors.
"use strict";
import { ask, moment, say } from "./core.js";

const line = document.getElementById("serving");
const sites = document.getElementById("sites");
const upstream = document.getElementById("upstream");

export async function serving() {
  try {
    const now = await ask("handover");
    const parts = [`MetalBond ${now.version}`, `process ${now.process} serves since ${moment(now.serving_since)}`];
    if (now.generation > 0) {
      const times = now.generation === 1 ? "one handover" : `${now.generation} handovers`;
      parts.push(`sessions live since ${moment(now.sessions_since)}, through ${times}`);
    }
    say(line, parts.join(" · "));
    sites.hidden = await ask("federation") === null;
    upstream.hidden = await ask("proxy") === null;
  } catch {
    // The banner says that there is no connection; the line stays as it was.
  }
}
