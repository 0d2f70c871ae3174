// The data of the page as columns, and the questions that the parts ask of them.
class Model {
  constructor(data) {
    this.data = data;
    const rows = data.rows, decode = (coded) => { const of = unpack(coded.of); return (place) => coded.values[of[place]]; };
    this.count = rows.label.length;
    this.status = decode(rows.status);
    this.standing = decode(rows.standing);
    this.method = decode(rows.method);
    this.compression = decode(rows.compression);
    this.methods = rows.method.values.filter((name) => name !== "baseline");
    this.compressions = rows.compression.values;
    this.reference = unpack(rows.ref);
    this.by = unpack(rows.by);
    this.bases = new Set(rows.base);
    this.settings = data.settings.map((one) => ({ name: one.name, of: decode(one), values: one.values }));
    this.metrics = data.metrics.map((one) => ({ ...one, v: unpack(one.v), lo: unpack(one.lo), hi: unpack(one.hi),
      n: typeof one.n === "number" ? one.n : unpack(one.n), lazy: one }));
    this.families = new Map();
  }

  // Whether a row is on the front of all objectives, or of a picture of two.
  onFront(row) { return this.standing(row) === "front" || Object.values(this.data.fronts).some(([front]) => front.includes(row)); }
  place(row) { return this.onFront(row) ? "front" : this.standing(row); }

  label(row) { return this.data.rows.label[row]; }
  full(row) { return this.data.rows.full[row] || this.label(row); }
  done(row) { return this.status(row) === "done"; }
  emulated(row) { return this.data.rows.emulated[row]; }
  value(metric, row) { return this.metrics[metric].v[row]; }
  note(metric, row) { return this.metrics[metric].notes?.[row]; }

  measured(metric, row) {
    const one = this.metrics[metric];
    return { v: one.v[row], lo: one.lo[row], hi: one.hi[row], n: typeof one.n === "number" ? one.n : one.n[row] };
  }

  text(metric, row) {
    const scale = this.metrics[metric], one = this.measured(metric, row);
    if (Number.isNaN(one.v)) return this.note(metric, row) || "not measured";
    const ends = one.lo === one.hi ? "exact" : interval(scale, one.lo, one.hi);
    return `${withUnit(scale, one.v)} ${ends} n=${one.n.toLocaleString("en")}`;
  }

  // The comparisons of a metric that came with the data: with each row's own reference.
  given(metric) {
    const one = this.metrics[metric];
    if (!one.gaps && one.lazy.d !== undefined) {
      one.gaps = { v: unpack(one.lazy.d), lo: unpack(one.lazy.dlo), hi: unpack(one.lazy.dhi), p: unpack(one.lazy.p) };
    }
    return one.gaps;
  }

  // Row against a baseline (null: its own reference); null where the two cannot be compared.
  difference(metric, row, baseline) {
    if (row === baseline) return null;
    const one = this.metrics[metric];
    if (baseline === null || baseline === this.reference[row]) {
      const gaps = this.given(metric);
      if (!gaps || Number.isNaN(gaps.v[row])) return null;
      const how = { p: "paired by item", t: "measured in turns", u: "from the two intervals", x: "exact" }[one.how[row]];
      return { v: gaps.v[row], lo: gaps.lo[row], hi: gaps.hi[row], p: gaps.p[row], mark: one.mark[row], how };
    }
    return this.family(metric, baseline).get(row) || null;
  }

  // All rows against a baseline that the reader chose, corrected together.
  family(metric, baseline) {
    const key = `${metric}:${baseline}`;
    if (this.families.has(key)) return this.families.get(key);
    const found = [];
    for (let row = 0; row < this.count; row += 1) {
      const one = row === baseline ? null : this.raw(metric, row, baseline);
      if (one) found.push([row, one]);
    }
    const noisy = found.filter(([, one]) => one.how !== "exact"), ps = holm(noisy.map(([, one]) => one.p));
    noisy.forEach(([, one], place) => { one.p = ps[place]; });
    const more = this.metrics[metric].better === "higher";
    for (const [, one] of found) one.mark = markOf(one, more);
    const family = new Map(found);
    this.families.set(key, family);
    return family;
  }

  raw(metric, row, baseline) {
    const scale = this.metrics[metric];
    if (scale.kind === "time") return null; // two times of two moments say nothing about two models
    for (const [a, b, sign] of [[row, baseline, 1], [baseline, row, -1]]) {
      const packed = this.data.pairs[`${a},${b},${metric}`];
      if (packed !== undefined) {
        const [v, lo, hi, p, n] = unpack(packed);
        return sign > 0 ? { v, lo, hi, p, n, how: "paired by item" } : { v: -v, lo: -hi, hi: -lo, p, n, how: "paired by item" };
      }
    }
    const a = this.measured(metric, row), b = this.measured(metric, baseline);
    if (Number.isNaN(a.v) || Number.isNaN(b.v)) return null;
    const exact = a.lo === a.hi && b.lo === b.hi;
    return { ...unpaired(a, b), how: exact ? "exact" : "from the two intervals", base: b.v };
  }
}

function markOf(one, more) {
  if (one.how === "exact") {
    if (Math.abs(one.v) < 0.005 * Math.abs(one.base)) return "=";
  } else {
    if (one.n < 6 || (!Number.isFinite(one.lo) && !Number.isFinite(one.hi))) return "?";
    if (one.p >= 0.05 || (one.lo <= 0 && one.hi >= 0)) return "≈";
  }
  return (one.v > 0) === more ? "▲" : "▼";
}

const verdict = (mark) => ({ "▲": "better", "▼": "worse" })[mark] || "same";
