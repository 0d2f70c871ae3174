// What the reader has chosen: one value for all parts, kept in the URL's hash so that a link shows the same page.
const CHOICES = {
  s: ["selected", null], p: ["pinned", []], b: ["baseline", null], x: ["x", null], y: ["y", null], z: ["z", null],
  fx: ["frontX", null], o: ["sort", ""], q: ["filter", ""], w: ["show", "all"], l: ["line", "interval"],
  c: ["columns", null], k: ["limits", {}], sf: ["samples", "flipped"], e: ["evaluator", ""], cm: ["curve", ""],
  ef: ["effect", null],
};

class State {
  constructor() { this.watchers = []; this.read(); addEventListener("hashchange", () => { if (this.text() !== location.hash.slice(1)) { this.read(); this.tell(); } }); }

  read() {
    for (const [name, start] of Object.values(CHOICES)) this[name] = structuredClone(start);
    const given = new URLSearchParams(location.hash.slice(1));
    for (const [key, [name]] of Object.entries(CHOICES)) {
      if (!given.has(key)) continue;
      try { this[name] = JSON.parse(given.get(key)); } catch { /* a link that somebody has typed */ }
    }
    this.sane();
  }

  // A link may come from another report: what does not fit is left out.
  sane() {
    const row = (value) => Number.isInteger(value) && value >= 0 && value < page.model.count;
    const metric = (value) => Number.isInteger(value) && value >= 0 && value < page.model.metrics.length;
    for (const name of ["selected", "baseline"]) if (!row(this[name])) this[name] = null;
    for (const name of ["x", "y", "z", "frontX", "effect"]) if (!metric(this[name])) this[name] = null;
    this.pinned = Array.isArray(this.pinned) ? this.pinned.filter(row).slice(0, 4) : [];
    this.columns = Array.isArray(this.columns) ? this.columns.filter(metric) : null;
    if (typeof this.limits !== "object" || this.limits === null) this.limits = {};
    for (const name of ["sort", "filter", "show", "line", "samples", "evaluator", "curve"]) this[name] = String(this[name] ?? "");
  }

  text() {
    const kept = new URLSearchParams();
    for (const [key, [name, start]] of Object.entries(CHOICES)) {
      if (JSON.stringify(this[name]) !== JSON.stringify(start)) kept.set(key, JSON.stringify(this[name]));
    }
    return kept.toString();
  }

  set(changes) {
    Object.assign(this, changes);
    const text = this.text();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
    this.tell(Object.keys(changes));
  }

  tell(names) { for (const watcher of this.watchers) watcher(names); }

  select(row) { this.set({ selected: row === this.selected ? null : row }); }
  pin(row) {
    const without = this.pinned.filter((one) => one !== row);
    this.set({ pinned: without.length < this.pinned.length ? without : [...this.pinned, row].slice(-4) });
  }
}
