// Numbers as the report's other formats write them, and the few statistics that a reader's choices need.
const MINUS = "\u2212";

const unpack = (text) => (text === "" ? [] : String(text).split(",").map((one) =>
  (one === "" ? NaN : one === "inf" ? Infinity : one === "-inf" ? -Infinity : Number(one))));

function number(scale, value, sign = false) {
  if (Number.isNaN(value)) return "?";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  const text = Math.abs(value * scale.factor).toLocaleString("en-US",
    { minimumFractionDigits: scale.decimals, maximumFractionDigits: scale.decimals });
  const zero = !/[1-9]/.test(text);
  return (value < 0 && !zero ? MINUS : sign && !zero ? "+" : "") + text;
}

const withUnit = (scale, value, sign = false) =>
  number(scale, value, sign) + (scale.unit && !Number.isNaN(value) ? `\u00a0${scale.unit}` : "");

function interval(scale, low, high, sign = false) {
  if (!Number.isFinite(low) && !Number.isFinite(high)) return "no interval";
  return `[${number(scale, low, sign)}, ${number(scale, high, sign)}]`;
}

// A scale for a difference: with more decimals where its interval would seem to have no width.
function finer(scale, low, high) {
  let decimals = scale.decimals;
  const width = (high - low) * scale.factor;
  while (Number.isFinite(width) && width > 0 && decimals < scale.decimals + 3 && width < 10 ** -decimals) decimals += 1;
  return { ...scale, decimals };
}

// A difference and its interval, as text.
const gapText = (scale, gap, unit = false) => { const fine = finer(scale, gap.lo, gap.hi); return [(unit ? withUnit : number)(fine, gap.v, true), interval(fine, gap.lo, gap.hi, true)]; };

function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds), two = (value) => String(value).padStart(2, "0");
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600).toLocaleString("en")} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

function bytes(value) {
  if (!value) return "–";
  const [size, name] = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]].find(([size]) => value >= size) || [1, "B"];
  return `${(value / size).toPrecision(3)} ${name}`;
}

// Student's tail by Wallace's transformation to a normal deviate; good to half a percent from 5 degrees on.
function tail(t, freedom) {
  const z = Number.isFinite(freedom)
    ? ((8 * freedom + 1) / (8 * freedom + 3)) * Math.sqrt(freedom * Math.log1p((t * t) / freedom)) : Math.abs(t);
  const k = 1 / (1 + 0.2316419 * z);
  const sum = k * (0.31938153 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))));
  return (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}

function quantile975(freedom) {
  const z = 1.959964;
  return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2);
}

// The difference of two measurements from their intervals alone (Zou and Donner 2008).
function unpaired(a, b) {
  const value = a.v - b.v;
  const below = Math.hypot(a.v - a.lo, b.hi - b.v), above = Math.hypot(a.hi - a.v, b.v - b.lo);
  const freedom = Math.max(1, Math.min(a.n, b.n) - 1), side = value > 0 ? below : above;
  const p = side === 0 ? (value === 0 ? 1 : 0) : 2 * tail((Math.abs(value) / side) * quantile975(freedom), freedom);
  return { v: value, lo: value - below, hi: value + above, p, n: Math.min(a.n, b.n) };
}

// Holm's correction: p-values in place of p-values, in the given order.
function holm(ps) {
  const order = ps.map((p, place) => [p, place]).sort((a, b) => a[0] - b[0]), found = [...ps];
  let least = 0;
  order.forEach(([p, place], rank) => { least = Math.max(least, Math.min(1, p * (order.length - rank))); found[place] = least; });
  return found;
}
