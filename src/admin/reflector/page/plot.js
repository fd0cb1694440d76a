// Plots of the last minutes. Redrawn at every sample and for every width, so that texts keep their size. Who cannot see one
// is told what it shows: in words that follow it, value by value along the arrow keys, and as a table.
"use strict";
import { amount, el, moment, say, shape } from "./core.js";
import { scaleOf } from "./scale.js";
import { table } from "./table.js";

// Shows at least one minute, and as many as there are: up to ten.
const spanOf = (samples) =>
  samples.length < 2 ? 60 : Math.max(60, Math.min(600, Math.ceil((samples[samples.length - 1].at_seconds - samples[0].at_seconds - 1) / 60) * 60));
const edge = { left: 58, right: 12, top: 10, bottom: 22 };
const height = 170;
const clock = (seconds) => moment(seconds).split(" ")[1];

// The sample with a line's highest value; null when it has none.
const peakOf = (line, samples) => samples.reduce((best, sample) =>
  line.of(sample) !== null && (best === null || line.of(sample) > line.of(best)) ? sample : best, null);

// The highest values of each minute, the latest on top.
function minutes(lines, samples) {
  const rows = new Map();
  for (const sample of samples) {
    const minute = clock(Math.floor(sample.at_seconds / 60) * 60).slice(0, 5);
    const row = rows.get(minute) || { minute, most: lines.map(() => null) };
    lines.forEach((line, index) => {
      const value = line.of(sample);
      if (value !== null && (row.most[index] === null || value > row.most[index])) row.most[index] = value;
    });
    rows.set(minute, row);
  }
  return [...rows.values()].reverse();
}

// The line itself and, if it is filled, what is below it.
function curve(line, samples, at, level, isDrawn) {
  let path = "", area = "", begin = null, last = null;
  const finish = () => {
    if (begin !== null) area += `L${last} ${level(null)}L${begin} ${level(null)}Z`;
    begin = null;
  };
  for (const sample of samples) {
    const value = line.of(sample), x = at(sample.at_seconds);
    if (!isDrawn(value) || x < edge.left - 1) {
      finish();
      continue;
    }
    const point = `${x.toFixed(1)} ${level(value).toFixed(1)}`;
    // One point alone shows as well: a line of no length with round ends.
    path += begin === null ? `M${point}h0` : `L${point}`;
    area += begin === null ? `M${point}` : `L${point}`;
    begin ??= x.toFixed(1);
    last = x.toFixed(1);
  }
  finish();
  return { path, area };
}

// What is below the plot: times, from now back.
function times(end, span, at, width) {
  const parts = [], apart = span / 60 > 5 ? (width < 420 ? 5 : 2) : span > 60 ? 1 : 0.5;
  for (let ago = 0; ago <= span / 60; ago += apart) {
    const anchor = ago === 0 ? "end" : ago * 60 === span ? "start" : "middle";
    const text = ago === 0 ? "now" : apart < 1 ? `−${ago * 60} s` : `−${ago} min`;
    parts.push(shape("text", { x: at(end - ago * 60), y: height - 5, "text-anchor": anchor }, text));
  }
  return parts;
}

// The values of one sample, beside a line through it.
function cursor(holder, lines, kind) {
  const tip = el("div", { class: "tip", hidden: true });
  const cross = shape("line", { class: "cross", y1: edge.top, y2: height - edge.bottom, visibility: "hidden" });
  holder.append(tip);
  return { cross,
    show(sample, x, y) {
      cross.setAttribute("visibility", "visible");
      for (const end of ["x1", "x2"]) cross.setAttribute(end, x);
      tip.replaceChildren(el("div", { class: "note" }, moment(sample.at_seconds)), ...lines.map((line) =>
        el("div", {}, el("i", { class: `dot ${line.color}` }), `${line.name} `, el("b", {}, amount(line.of(sample), kind)))));
      tip.hidden = false;
      const left = x + 12;
      tip.style.left = `${left + tip.offsetWidth > holder.clientWidth ? x - tip.offsetWidth - 12 : left}px`;
      tip.style.top = `${Math.max(0, y - tip.offsetHeight - 8)}px`;
    },
    hide() {
      tip.hidden = true;
      cross.setAttribute("visibility", "hidden");
    } };
}

// The legend: of each line its latest and its highest value; not the latest, where `hasNow` is false.
function legendOf(lines, kind, isLog, hasNow) {
  const now = lines.map(() => el("b")), peaks = lines.map(() => el("span", { class: "peak" }));
  const node = el("div", { class: "legend" }, lines.map((line, index) =>
    el("span", {}, el("i", { class: `dot ${line.color}` }), line.name, " ", hasNow ? now[index] : null, " ", peaks[index])),
  isLog ? el("span", {}, "log scale") : null);
  return { node, show(samples) {
    const last = samples[samples.length - 1];
    lines.forEach((line, index) => {
      const peak = peakOf(line, samples);
      say(now[index], last ? amount(line.of(last), kind) : "–");
      say(peaks[index], peak ? `peak ${amount(line.of(peak), kind)}` : "");
    });
  } };
}

// The plot in words.
function summary(title, lines, kind, hasNow, samples) {
  const last = samples[samples.length - 1];
  if (!last) return `${title}: nothing yet`;
  const each = lines.map((line) => {
    const peak = peakOf(line, samples);
    if (!peak) return `${line.name} nothing`;
    return `${line.name} ${hasNow ? `${amount(line.of(last), kind)} now, ` : ""}highest ${amount(line.of(peak), kind)} at ${clock(peak.at_seconds)}`;
  });
  return `${title}, the last ${spanOf(samples) / 60} min: ${each.join("; ")}. Left and right read single values.`;
}

// lines: [{ name, color, of(sample) }]; kind: what `amount` takes. A value of null is a gap. hasNow: whether the latest value is
// said; it is not where a card says it, of another moment.
export function plot({ title, kind, lines, isLog = false, isFilled = false, hasNow = true }) {
  const legend = legendOf(lines, kind, isLog, hasNow);
  const svg = shape("svg", { role: "img", tabindex: "0", class: "drawing" });
  const holder = el("div", { class: "chart" }, svg);
  const pointed = cursor(holder, lines, kind);
  const said = el("p", { class: "unseen", role: "status" });
  const values = table({ caption: `${title}, the highest values of each minute`, empty: "Nothing yet.", id: (row) => row.minute,
    columns: [{ title: "Minute", isFirst: true, of: (row) => row.minute },
      ...lines.map((line, index) => ({ title: line.name, isNumber: true, of: (row) => amount(row.most[index], kind) }))] });
  const details = el("details", {}, el("summary", {}, `${title} as a table`), values.node);
  let samples = [], at = null;

  function draw() {
    const width = holder.clientWidth;
    if (!width) return;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    const end = samples.length ? samples[samples.length - 1].at_seconds : Date.now() / 1000;
    // On a scale of durations there is no 0.
    const isDrawn = (value) => value !== null && (kind !== "time" || value > 0);
    const { ticks, part } = scaleOf(kind, isLog, lines.flatMap((line) => samples.map(line.of)).filter(isDrawn));
    const level = (value) => height - edge.bottom - (value === null ? 0 : Math.max(0, Math.min(1, part(value)))) * (height - edge.top - edge.bottom);
    const span = spanOf(samples);
    at = (seconds) => width - edge.right - (end - seconds) / span * (width - edge.left - edge.right);
    const parts = ticks.flatMap((tick) => [
      shape("line", { class: "grid", x1: edge.left, x2: width - edge.right, y1: level(tick), y2: level(tick) }),
      shape("text", { x: edge.left - 8, y: level(tick) + 4, "text-anchor": "end" }, amount(tick, kind))]);
    parts.push(...times(end, span, at, width));
    for (const line of lines) {
      const { path, area } = curve(line, samples, at, level, isDrawn);
      if (isFilled && area) parts.push(shape("path", { d: area, class: `area ${line.color}` }));
      if (path) parts.push(shape("path", { d: path, class: `line ${line.color}` }));
    }
    svg.replaceChildren(...parts, pointed.cross);
    svg.setAttribute("aria-label", summary(title, lines, kind, hasNow, samples));
    legend.show(samples);
    if (details.open) values.show(minutes(lines, samples));
    point();
  }

  // Where the pointer is, or the time that the arrow keys have come to.
  let pointer = null, chosen = null;
  const nearest = (distance) => samples.reduce((best, sample) => distance(sample) < distance(best) ? sample : best);
  function point() {
    if ((!pointer && chosen === null) || !samples.length || !at) {
      pointed.hide();
      return null;
    }
    const box = holder.getBoundingClientRect(), x = pointer && pointer.clientX - box.left;
    const near = nearest((sample) => pointer ? Math.abs(at(sample.at_seconds) - x) : Math.abs(sample.at_seconds - chosen));
    pointed.show(near, at(near.at_seconds), pointer ? pointer.clientY - box.top : height / 2);
    return near;
  }
  holder.addEventListener("pointermove", (event) => {
    pointer = event;
    point();
  });
  holder.addEventListener("pointerleave", () => {
    pointer = null;
    point();
  });
  const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -60, PageDown: 60, Home: -Infinity, End: Infinity };
  svg.addEventListener("keydown", (event) => {
    if (event.key === "Escape") chosen = null;
    if (!(event.key in moves) || !samples.length || event.ctrlKey || event.metaKey || event.altKey) return point();
    event.preventDefault();
    const now = chosen === null ? samples.length : samples.indexOf(nearest((sample) => Math.abs(sample.at_seconds - chosen)));
    chosen = samples[Math.max(0, Math.min(samples.length - 1, now + moves[event.key]))].at_seconds;
    pointer = null;
    const near = point();
    say(said, `${clock(near.at_seconds)}: ${lines.map((line) => `${line.name} ${amount(line.of(near), kind)}`).join(", ")}`);
  });
  svg.addEventListener("blur", () => {
    chosen = null;
    say(said, "");
    point();
  });
  details.addEventListener("toggle", draw);
  new ResizeObserver(draw).observe(holder);
  const node = el("section", { class: "plot" }, el("div", { class: "title" }, el("h2", {}, title), legend.node), holder, said, details);
  return { node, show(all) {
    samples = all;
    draw();
  } };
}
