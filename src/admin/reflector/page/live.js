// The stream of samples, one a second, that plots and cards are drawn from.
"use strict";
import { stream } from "./core.js";

const KEPT = 600;
const listeners = new Set();
let fields = [];
// Samples as objects, oldest first; and whether the stream is up: null before the first answer.
export const live = { samples: [], isUp: null };

const tell = () => listeners.forEach((listener) => listener());
const named = (row) => Object.fromEntries(fields.map((name, index) => [name, row[index]]));

// Calls a listener at every sample and when the stream comes or goes, until the signal.
export function listen(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener("abort", () => listeners.delete(listener));
  listener();
}

export const latest = () => live.samples[live.samples.length - 1] || null;

export function start() {
  const take = (samples) => {
    live.samples = samples.slice(-KEPT);
    live.isUp = true;
    tell();
  };
  const history = ({ data }) => {
    const { fields: names, samples } = JSON.parse(data);
    fields = names;
    take(samples.map(named));
  };
  const sample = ({ data }) => take([...live.samples, named(JSON.parse(data))]);
  const lost = () => {
    live.isUp = false;
    tell();
  };
  stream("api/v1/live", { on: { history, sample }, lost });
}
