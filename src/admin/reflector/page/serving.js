// Which process this is, since when it serves, and since when its sessions live.
"use strict";
import { ask, moment, say } from "./core.js";

const line = document.getElementById("serving");

export async function serving() {
  try {
    const now = await ask("handover");
    const parts = [`MetalBond ${now.version}`, `process ${now.process} serves since ${moment(now.serving_since)}`];
    if (now.generation > 0) {
      const times = now.generation === 1 ? "one handover" : `${now.generation} handovers`;
      parts.push(`sessions live since ${moment(now.sessions_since)}, through ${times}`);
    }
    say(line, parts.join(" · "));
  } catch {
    // The banner says that there is no connection; the line stays as it was.
  }
}
