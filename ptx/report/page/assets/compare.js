// The bar of the selection, and the differences of two to four pinned runs: settings, metrics, samples.
function drawSelection() {
  const { model, state } = page, bar = document.getElementById("selection"), row = state.selected;
  bar.hidden = row === null && !state.pinned.length;
  document.body.classList.toggle("with-bar", !bar.hidden);
  if (bar.hidden) { bar.replaceChildren(); return; }
  bar.replaceChildren(
    row === null ? "" : h("span", { class: "now" }, "Selected: ", h("strong", {}, model.label(row)), button(state.pinned.includes(row) ? "Unpin" : "Pin", () => state.pin(row), { class: "quiet" }),
      button("Use as baseline", () => state.set({ baseline: row }), { class: "quiet" }), button("Clear", () => state.set({ selected: null }), { class: "quiet" })),
    state.pinned.length ? h("span", { class: "now" }, "Pinned: ", state.pinned.map((one) => button(`${model.label(one)} ✕`, () => state.pin(one), { class: "chip", "aria-label": `unpin ${model.label(one)}` })),
      state.pinned.length > 1 ? button("Compare", () => document.getElementById("compare").scrollIntoView(), { class: "quiet" }) : h("span", { class: "small" }, "pin another to compare")) : "");
}

const compared = () => {
  const { state, model } = page;
  if (state.pinned.length > 1) return state.pinned;
  const row = state.pinned[0] ?? state.selected ?? page.data.matrix.lines[0]?.[0], base = row === undefined ? null : baselineOf(row);
  return [base, row].filter((one) => one !== null && one !== undefined && one < model.count).filter((one, place, all) => all.indexOf(one) === place);
};

function drawCompare(body) {
  const { model } = page, rows = compared();
  const hint = page.state.pinned.length > 1 ? "" : "Nothing is pinned, so this is the run to look at first. Pin two to four runs in the table (○) to see how they differ. ";
  if (rows.length < 2) { body.replaceChildren(h("p", { class: "small" }, "Pin two to four runs in the table to see how their settings and metrics differ.")); return; }
  const settings = settingsOf(rows), [first, ...others] = rows, varied = new Set(model.settings.map((one) => one.name));
  const shared = settings.filter(([key, ...values]) => varied.has(key) || !values.includes("–")), lone = settings.filter((line) => !shared.includes(line));
  const tableOf = (lines, label) => dataTable(["setting", ...rows.map((row) => model.label(row))], lines, { text: [1, 2, 3, 4], label });
  const lines = shownColumns().map((metric) => [model.metrics[metric].short, ...rows.map((row) => {
    const gap = row === first ? null : model.difference(metric, row, first), one = model.metrics[metric];
    return h("td", { class: "num", title: model.text(metric, row) }, Number.isNaN(model.value(metric, row)) ? "–" : withUnit(one, model.value(metric, row)), gap && h("small", { class: verdict(gap.mark) }, `${gap.mark} ${gapText(one, gap).slice(0, gap.how === "exact" ? 1 : 2).join(" ")}`));
  })]);
  body.replaceChildren(h("p", { class: "small" }, hint, `Differences from ${model.label(first)}, paired by item where the items are shared${others.length > 1 ? "; corrected over all runs of the table" : ""}.`),
    dataTable(["metric", ...rows.map((row) => model.label(row))], lines, { label: "metrics of the pinned runs" }),
    settings.length ? h("div", {}, h("h3", {}, "Settings that differ"), shared.length > 0 && tableOf(shared, "settings in which pinned runs differ"), lone.length > 0 && h("details", {}, h("summary", {}, `${plural(lone.length, "setting")} of steps that not all of them have`), tableOf(lone, "settings of steps that not all have"))) : h("p", { class: "small" }, "No varied setting differs."));
}

// The settings on which some rows differ: the varied ones, and those of the resolved configuration.
function settingsOf(rows) {
  const { model, data } = page, found = new Map(model.settings.map((one) => [one.name, rows.map((row) => one.of(row) || "–")]));
  for (const [place, row] of rows.entries()) {
    for (const [key, before, after] of data.lineage[row]?.changes || []) {
      if (found.has(key) && model.settings.some((one) => one.name === key)) continue;
      if (!found.has(key)) found.set(key, rows.map(() => before || "–"));
      found.get(key)[place] = after || "–";
    }
  }
  return [...found].filter(([, values]) => new Set(values).size > 1).slice(0, 60).map(([key, values]) => [key, ...values.map((value) => value.slice(0, 300))]);
}
