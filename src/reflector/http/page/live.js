// The stream of samples, one a second, that plots and cards are drawn from.
"use strict";

const KEPT = 600;
const listeners = new Set();
let source = null, retry = null;
let fields = [];
// Samples as objects, oldest first; and whether the stream is up: null before the first answer.
export const live = { samples: [], isUp: null };

const tell = () => listeners.forEach((listener) => listener());
const named = (row) => Object.fromEntries(fields.map((name, index) => [name, row[index]]));

function close() {
  source?.close();
  source = null;
  clearTimeout(retry);
}

function open() {
  close();
  if (document.hidden) return;
  source = new EventSource("api/v1/live");
  source.addEventListener("history", (event) => {
    const history = JSON.parse(event.data);
    fields = history.fields;
    live.samples = history.samples.map(named);
    live.isUp = true;
    tell();
  });
  source.addEventListener("sample", (event) => {
    live.samples.push(named(JSON.parse(event.data)));
    if (live.samples.length > KEPT) live.samples.splice(0, live.samples.length - KEPT);
    live.isUp = true;
    tell();
  });
  source.addEventListener("error", () => {
    live.isUp = false;
    tell();
    close();
    retry = setTimeout(open, 2000);
  });
}

// Calls a listener at every sample and when the stream comes or goes, until the signal.
export function listen(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener("abort", () => listeners.delete(listener));
  listener();
}

export const latest = () => live.samples[live.samples.length - 1] || null;

export function start() {
  document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
  open();
}
