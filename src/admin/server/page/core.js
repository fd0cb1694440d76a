// What all views share: elements, numbers for people, asking the API, and polling.
// Everything that comes from outside becomes text nodes and attributes, never markup.
"use strict";

const svgSpace = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}
export const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
export const shape = (name, attributes = {}, ...children) => fill(document.createElementNS(svgSpace, name), attributes, children);

// A text that is only touched when it changes, so that a selection survives.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Numbers for people. Nothing known is a dash.
const grouped = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: 0, maximumFractionDigits: digits });
export const count = (value) => value === null || value === undefined ? "–" : grouped(value);

function scaled(value, steps) {
  const size = Math.abs(value);
  const [from, unit] = steps.find(([from]) => size >= from * 0.9995) || steps[steps.length - 1];
  const part = value / from, digits = Math.abs(part) >= 100 || Number.isInteger(part) ? 0 : Math.abs(part) >= 10 ? 1 : 2;
  return [grouped(part, digits), unit];
}
const units = {
  rate: [[1e6, "M/s"], [1e4, "", 1], [1, "/s"]],
  bytes: [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]],
  speed: [[1e9, "GB/s"], [1e6, "MB/s"], [1e3, "kB/s"], [1, "B/s"]],
  time: [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]],
};
// A value and its unit, apart.
export function measured(value, kind) {
  if (value === null || value === undefined) return ["–", ""];
  if (kind === "count") return [grouped(value), ""];
  if (kind === "cores") return [grouped(value, 2), ""];
  if (kind === "rate") {
    if (value >= 1e6) return scaled(value, units.rate);
    return [grouped(value, value < 10 ? 1 : 0), "/s"];
  }
  if (value === 0) return ["0", kind === "time" ? "s" : units[kind][units[kind].length - 1][1]];
  return scaled(value, units[kind]);
}
export const amount = (value, kind) => measured(value, kind).join(" ").trim();

// A duration in its two largest units.
export function lasted(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const s = Math.floor(seconds), two = (n) => String(n).padStart(2, "0");
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor(s / 60) % 60)} min`;
  return `${grouped(Math.floor(s / 86400))} d ${two(Math.floor(s / 3600) % 24)} h`;
}
// A part of a cell that says how long ago something was, and when.
export const since = (seconds) => seconds === null || seconds === undefined ? "–"
  : { text: lasted(seconds), title: `since ${moment(Date.now() / 1000 - seconds)}`, unsigned: true };
export function moment(seconds) {
  const date = new Date(Math.round(seconds) * 1000), two = (n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

// The token, where the server asks for one: kept in this tab until it is closed. A page below another path of the same
// origin has its own.
const tokenName = `token of ${location.pathname}`;
let kept = null;
try {
  kept = sessionStorage.getItem(tokenName);
} catch {
  // It holds until the page is left.
}
export function keepToken(token) {
  kept = token;
  try {
    sessionStorage.setItem(tokenName, token);
  } catch {
    // As above.
  }
  document.dispatchEvent(new Event("token"));
}
// What each request says in addition.
const credentials = () => kept ? { authorization: `Bearer ${kept}` } : {};
// Whoever is at the page is asked for a token; `frame` does so.
const wantToken = () => document.dispatchEvent(new CustomEvent("tokenwanted", { detail: { isWrong: kept !== null } }));

// Asks the API. Fails with the sentence that it answers with.
export async function ask(path, parameters = {}, signal) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  let answer;
  try {
    answer = await fetch(`api/v1/${path}${query.size ? `?${query}` : ""}`, { signal, headers: { accept: "application/json", ...credentials() } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer");
  }
  const json = await answer.json().catch(() => null);
  if (answer.status === 401) wantToken();
  if (!answer.ok) {
    const error = new Error(json?.error || `the answer has status ${answer.status}`);
    error.status = answer.status;
    throw error;
  }
  return json;
}

// Where views are: the part behind #, a path and parameters.
export function place() {
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?");
  return { path: path || "/", parameters: Object.fromEntries(new URLSearchParams(query)) };
}
export function href(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  return `#${path}${query.size ? `?${query}` : ""}`;
}

// Does something again and again until the signal: not while the tab is hidden, and with a pause of
// several times what it takes, so that what takes long is done less often.
export function poll(every, work, signal) {
  let timer = null, isBusy = false;
  async function turn() {
    timer = null;
    if (signal.aborted || isBusy) return;
    if (document.hidden) return;
    isBusy = true;
    const began = performance.now();
    try {
      await work();
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      isBusy = false;
    }
    const took = performance.now() - began;
    if (!signal.aborted) timer = setTimeout(turn, Math.max(every, 4 * took));
  }
  const wake = () => {
    if (!document.hidden) {
      clearTimeout(timer);
      turn();
    }
  };
  document.addEventListener("visibilitychange", wake, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  turn();
  return wake;
}

// Reads server-sent events until the stream ends, which is an error. EventSource would do, but sends no token.
async function read(path, on, signal) {
  const answer = await fetch(path, { signal, headers: { accept: "text/event-stream", ...credentials() } });
  if (answer.status === 401) wantToken();
  if (!answer.ok) throw new Error(`the answer has status ${answer.status}`);
  on.open?.();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the stream has ended");
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) take(event, on);
  }
}
// Hands one event over, by its name.
function take(event, on) {
  const lines = event.split("\n").map((line) => line.split(/: ?(.*)/s));
  const field = (name) => lines.filter(([key]) => key === name).map(([, value]) => value);
  const data = field("data");
  if (data.length) on[field("event")[0] ?? "message"]?.({ data: data.join("\n") });
}

// Takes server-sent events until the signal: not while the tab is hidden, and anew two seconds after
// the stream was lost. on: what is done with each kind of event.
export function stream(path, { on, lost }, signal) {
  let reading = null, retry = null;
  function close() {
    reading?.abort();
    reading = null;
    clearTimeout(retry);
  }
  function open() {
    close();
    if (document.hidden || signal?.aborted) return;
    const own = reading = new AbortController();
    read(path, on, own.signal).catch(() => {
      if (own.signal.aborted) return;
      close();
      lost();
      retry = setTimeout(open, 2000);
    });
  }
  document.addEventListener("token", open, { signal });
  document.addEventListener("visibilitychange", () => document.hidden ? close() : open(), { signal });
  signal?.addEventListener("abort", close);
  open();
}

// Frequent parts of views.
export const heading = (title, ...more) => el("div", { class: "heading" }, el("h1", { tabindex: "-1" }, title), ...more);
export const section = (title, note, ...children) =>
  el("section", {}, el("div", { class: "title" }, el("h2", {}, title), note && el("p", { class: "note" }, note)), ...children);
export const badge = (text, kind) => ({ text, kind: `badge ${kind || ""}` });
export const pacedBadge = (peer) => peer.fixed_pace_reason
  ? { ...badge("fixed pace", "warn"), title: peer.fixed_pace_reason }
  : peer.is_paced ? badge("paced", "soft") : null;
export const stateBadge = (peer) => badge(peer.state, peer.state === "established" ? (peer.is_slow ? "warn" : "good") : "soft");
// By its node, with its number where several sessions are of that node.
export const peerName = (peer) => (peer.node && peer.name) || peer.node || peer.remote || `peer ${peer.id}`;
export const peerLink = (id, text) => ({ text: text ?? `#${id}`, href: href(`/peer/${id}`) });
// A peer that has named no node.
export const unnamed = (id) => [peerLink(id), { text: " not said", kind: "soft" }];
export const vniLink = (vni) => ({ text: String(vni), href: href(`/vni/${vni}`) });

const types = { standard: null, nat: "NAT", lb: "load balancer" };
// A next hop, as parts of a cell.
export const hop = ({ address, target_vni, type, nat_from, nat_to }) => [
  { text: address, kind: "code" },
  types[type] ? badge(types[type], "soft") : null,
  type === "nat" ? { text: ` ports ${nat_from}–${nat_to}`, kind: "soft" } : null,
  target_vni ? { text: ` into VNI ${target_vni}`, kind: "soft" } : null,
];
export const routeId = (route) => JSON.stringify([route.vni, route.destination, route.next_hop]);
