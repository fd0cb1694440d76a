// Scales of plots: ticks from bottom to top, and for each value its part of the height, 0 to 1.
"use strict";

const steps = [1, 2, 5, 10];

function linear(most) {
  const raw = most / 3 || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= raw * 0.999);
  const ticks = [];
  for (let n = 0; n < most + step * 0.999; n += step) ticks.push(+n.toPrecision(12));
  const high = ticks[ticks.length - 1];
  return { ticks, part: (value) => value / high };
}

// Of durations: nothing is 0.
function logarithmic(least, most) {
  const first = Math.floor(Math.log10(least)), last = Math.max(first + 1, Math.ceil(Math.log10(most)));
  const ticks = [];
  for (let power = first; power <= last; power++) ticks.push(10 ** power);
  const low = ticks[0], high = ticks[ticks.length - 1];
  return { ticks, part: (value) => Math.log(value / low) / Math.log(high / low) };
}

// Of rates: as even as a linear scale up to `unit`, and logarithmic above, so that what is steady can be read beside a
// burst, and 0 is the bottom.
function rates(unit, most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, unit)));
  const high = steps.map((n) => n * power).find((n) => n >= Math.max(most, unit) * 0.999);
  const part = (value) => Math.log1p(value / unit) / Math.log1p(high / unit);
  const inner = high > 100 * unit ? [1] : [1, 2, 5];
  const ticks = [high];
  for (let power = high; power >= unit / 10; power /= 10) {
    for (const n of [...inner].reverse()) {
      const tick = n * 10 ** Math.floor(Math.log10(power) + 1e-9);
      const above = part(ticks[ticks.length - 1]);
      // Texts have room between two of them, and above 0.
      if (tick >= unit && above - part(tick) > 0.11 && part(tick) > 0.11) ticks.push(tick);
    }
  }
  return { ticks: [0, ...ticks.reverse()], part };
}

// The unit of each kind at least; and no smaller than a tenth of what most values are above, so that what is steady and
// high does not lie at the top.
const units = { rate: 1, speed: 100 };
function unitOf(kind, values) {
  const some = values.filter((value) => value > 0).sort((a, b) => a - b), low = some[Math.floor(some.length / 20)];
  return low === undefined ? units[kind] : Math.max(units[kind], 10 ** (Math.floor(Math.log10(low)) - 1));
}

export function scaleOf(kind, isLog, values) {
  const least = Math.min(...values), most = Math.max(...values);
  if (isLog && units[kind]) return rates(unitOf(kind, values), values.length ? most : 0);
  if (isLog) return values.length ? logarithmic(least, most) : logarithmic(1e-4, 1e-2);
  return linear(Math.max(values.length ? most : 1, kind === "cores" ? 0.1 : 3));
}
