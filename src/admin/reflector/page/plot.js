// Plots of the last minutes. Redrawn at every sample and for every width, so that texts keep their size.
"use strict";
import { amount, el, moment, shape } from "./core.js";

// Shows at least one minute, and as many as there are: up to ten.
const spanOf = (samples) =>
  samples.length < 2 ? 60 : Math.max(60, Math.min(600, Math.ceil((samples[samples.length - 1].at_seconds - samples[0].at_seconds - 1) / 60) * 60));
const edge = { left: 58, right: 12, top: 10, bottom: 22 };

function linearTicks(max) {
  const raw = max / 3 || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= raw * 0.999);
  const ticks = [];
  for (let n = 0; n < max + step * 0.999; n += step) ticks.push(+n.toPrecision(12));
  return ticks;
}
function logTicks(least, most) {
  const first = Math.floor(Math.log10(least)), last = Math.max(first + 1, Math.ceil(Math.log10(most)));
  const ticks = [];
  for (let power = first; power <= last; power++) ticks.push(10 ** power);
  return ticks;
}

// lines: [{ name, color, of(sample) }]; kind: what `amount` takes. A value of null is a gap.
export function plot({ title, kind, lines, isLog = false, isFilled = false }) {
  const tip = el("div", { class: "tip", hidden: true });
  const now = lines.map(() => el("b"));
  const legend = el("div", { class: "legend" }, lines.map((line, index) =>
    el("span", {}, el("i", { class: `dot ${line.color}` }), line.name, " ", now[index])));
  const svg = shape("svg", { role: "img", "aria-label": `${title}, the last ten minutes` });
  const holder = el("div", { class: "chart" }, svg, tip);
  const height = 170;
  let samples = [], cross = null, at = null;

  function draw() {
    const width = holder.clientWidth;
    if (!width) return;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    const end = samples.length ? samples[samples.length - 1].at_seconds : Date.now() / 1000;
    const values = lines.flatMap((line) => samples.map(line.of)).filter((value) => value !== null && (!isLog || value > 0));
    const [least, most] = values.length ? [Math.min(...values), Math.max(...values)] : isLog ? [1e-4, 1e-2] : [0, 1];
    const ticks = isLog ? logTicks(least, most) : linearTicks(Math.max(most, kind === "cores" ? 0.1 : 3));
    const low = ticks[0], high = ticks[ticks.length - 1];
    const part = (y) => isLog ? Math.log(y / low) / Math.log(high / low) : y / high;
    const level = (y) => height - edge.bottom - Math.max(0, Math.min(1, part(y))) * (height - edge.top - edge.bottom);
    const span = spanOf(samples);
    at = (seconds) => width - edge.right - (end - seconds) / span * (width - edge.left - edge.right);
    const parts = [];
    for (const tick of ticks) {
      parts.push(shape("line", { class: "grid", x1: edge.left, x2: width - edge.right, y1: level(tick), y2: level(tick) }),
        shape("text", { x: edge.left - 8, y: level(tick) + 4, "text-anchor": "end" }, amount(tick, kind)));
    }
    const apart = span / 60 > 5 ? (width < 420 ? 5 : 2) : span > 60 ? 1 : 0.5;
    for (let ago = 0; ago <= span / 60; ago += apart) {
      const anchor = ago === 0 ? "end" : ago * 60 === span ? "start" : "middle";
      const text = ago === 0 ? "now" : apart < 1 ? `−${ago * 60} s` : `−${ago} min`;
      parts.push(shape("text", { x: at(end - ago * 60), y: height - 5, "text-anchor": anchor }, text));
    }
    for (const line of lines) {
      let path = "", area = "", begin = null, last = null;
      const finish = () => {
        if (begin !== null) area += `L${last} ${level(low)}L${begin} ${level(low)}Z`;
        begin = null;
      };
      for (const sample of samples) {
        const value = line.of(sample), x = at(sample.at_seconds);
        if (value === null || (isLog && value <= 0) || x < edge.left - 1) {
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
      if (isFilled && area) parts.push(shape("path", { d: area, class: `area ${line.color}` }));
      if (path) parts.push(shape("path", { d: path, class: `line ${line.color}` }));
    }
    cross = shape("line", { class: "cross", y1: edge.top, y2: height - edge.bottom, visibility: "hidden" });
    svg.replaceChildren(...parts, cross);
    lines.forEach((line, index) => {
      const sample = samples[samples.length - 1];
      now[index].textContent = sample ? amount(line.of(sample), kind) : "–";
    });
    if (!tip.hidden) point();
  }

  let pointer = null;
  function point() {
    if (!pointer || !samples.length || !at) return;
    const box = holder.getBoundingClientRect(), x = pointer.clientX - box.left;
    const near = samples.reduce((best, sample) =>
      Math.abs(at(sample.at_seconds) - x) < Math.abs(at(best.at_seconds) - x) ? sample : best);
    const where = at(near.at_seconds);
    cross.setAttribute("visibility", "visible");
    for (const end of ["x1", "x2"]) cross.setAttribute(end, where);
    tip.replaceChildren(el("div", { class: "note" }, moment(near.at_seconds)), ...lines.map((line) =>
      el("div", {}, el("i", { class: `dot ${line.color}` }), `${line.name} `, el("b", {}, amount(line.of(near), kind)))));
    tip.hidden = false;
    const left = where + 12;
    tip.style.left = `${left + tip.offsetWidth > box.width ? where - tip.offsetWidth - 12 : left}px`;
    tip.style.top = `${Math.max(0, pointer.clientY - box.top - tip.offsetHeight - 8)}px`;
  }
  holder.addEventListener("pointermove", (event) => {
    pointer = event;
    point();
  });
  holder.addEventListener("pointerleave", () => {
    pointer = null;
    tip.hidden = true;
    cross?.setAttribute("visibility", "hidden");
  });
  new ResizeObserver(draw).observe(holder);
  const node = el("section", { class: "plot" }, el("div", { class: "title" }, el("h2", {}, title), legend), holder);
  return { node, show(all) {
    samples = all;
    draw();
  } };
}
