// Which reflector this is: in the header, the title and the foot; and whether there are other sites or, of a proxy, reflectors.
"use strict";
import { ask, el, lasted, moment, say } from "./core.js";
import { latest } from "./live.js";

const name = document.getElementById("name");
const facts = document.getElementById("facts");
const draining = document.getElementById("draining");
const line = document.getElementById("serving");
const reflectors = document.getElementById("reflectors");
const sites = document.getElementById("sites");
const upstream = document.getElementById("upstream");
const backends = { uring: "io_uring" };
let known = null, view = "";

// A reflector that was given no name is called by its address.
const nameOf = (reflector) => reflector.name || location.host;

// Says in the title what is shown, and of which reflector.
export function entitle(text) {
  view = text;
  document.title = [text, known && nameOf(known), "MetalBond"].filter(Boolean).join(" – ");
}

// Shows what moves: for how long it is up, and whether it drains.
export function tick() {
  const sample = latest();
  if (!known) return;
  const uptime = sample ? sample.at_seconds - known.serving_since : known.uptime_seconds;
  const parts = [`MetalBond ${known.version}`, `up ${lasted(Math.max(0, Math.floor(uptime)))}`, backends[known.io] || known.io,
    known.shards === 1 ? "1 shard" : `${known.shards} shards`, known.site && `site ${known.site}`];
  const texts = parts.filter(Boolean);
  while (facts.children.length < texts.length) facts.append(el("span"));
  texts.forEach((text, index) => say(facts.children[index], text));
  while (facts.children.length > texts.length) facts.lastChild.remove();
  draining.hidden = !(sample ? sample.is_draining : known.is_draining);
}

function foot(now) {
  const parts = [`Process ${now.process} has served since ${moment(now.serving_since)}`];
  if (now.generation > 0) {
    const times = now.generation === 1 ? "one handover" : `${now.generation} handovers`;
    parts.push(`sessions live since ${moment(now.sessions_since)}, through ${times}`);
  }
  say(line, parts.join(" · "));
}

// Asks who answers.
export async function identify() {
  try {
    known = await ask("reflector");
    say(name, nameOf(known));
    entitle(view);
    tick();
    reflectors.hidden = known.others === 0;
    foot(await ask("handover"));
    sites.hidden = await ask("federation") === null;
    upstream.hidden = await ask("proxy") === null;
  } catch {
    // The banner says that there is no connection; what is shown stays as it was.
  }
}
