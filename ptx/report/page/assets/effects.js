// Main effects of the varied settings, with intervals, and all settings and metrics of all runs as parallel lines.
function drawEffects(body) {
  const { data, model, state } = page, metrics = [...new Set(data.effects.map((one) => one.metric))];
  if (!body.firstChild) body.append(h("div", { class: "tools", id: "effects-tools" }), h("div", { id: "effect-panels" }), h("h3", {}, "All runs, setting by setting"), h("div", { class: "plot tall", id: "parallel" }));
  const metric = state.effect !== null && metrics.includes(state.effect) ? state.effect : metrics[0];
  document.getElementById("effects-tools").replaceChildren(metrics.length > 1 ? menu("effect on", metrics.map((one) => [one, model.metrics[one].short]), metric, (value) => state.set({ effect: Number(value) })) : "");
  const shown = data.effects.filter((one) => one.metric === metric);
  document.getElementById("effect-panels").replaceChildren(...(shown.length ? [h("p", { class: "small" }, "Each value against the first one, with all other settings the same: the mean over the blocks in which both stand, and its 95 % interval over them."), h("div", { class: "falls wide" }, shown.map((one) => effect(one, metric)))] : [h("p", { class: "small" }, "No two runs differ in one setting alone, so no effect can be told from the others.")]));
  drawParallel();
}

function effect(one, metric) {
  const scale = page.model.metrics[metric], levels = one.levels.map(([value, text]) => [value || "none", ...unpack(text)]);
  const ends = levels.flatMap((level) => level.slice(1, 4)).filter(Number.isFinite), low = Math.min(0, ...ends), high = Math.max(0, ...ends), at = (end) => 3 + (94 * (end - low)) / (high - low || 1);
  const lines = levels.map(([value, gap, lo, hi, blocks], place) => {
    const fine = finer(scale, lo, hi), sure = place > 0 && Number.isFinite(lo) && (lo > 0 || hi < 0), better = sure && (gap > 0) === (scale.better === "higher");
    return h("tr", {}, h("th", { scope: "row" }, value), h("td", { class: "num" }, place === 0 ? h("small", {}, "the first") : Number.isNaN(gap) ? "–" : h("span", { class: sure ? (better ? "better" : "worse") : "" }, number(fine, gap, true))),
      h("td", { class: "num" }, place > 0 && h("small", {}, interval(fine, lo, hi, true)), h("small", {}, plural(blocks, "block"))),
      h("td", { class: "drawn" }, svg("svg", { viewBox: "0 0 100 18", class: "fall", "aria-hidden": "true" }, svg("line", { x1: at(0), x2: at(0), y1: 0, y2: 18, class: "zero" }),
        ...(place > 0 && Number.isFinite(lo) && Number.isFinite(hi) ? [svg("line", { x1: at(lo), x2: at(hi), y1: 9, y2: 9, class: "whisker" })] : []), ...(Number.isNaN(gap) ? [] : [svg("circle", { cx: at(gap), cy: 9, r: 3.4, class: place === 0 ? "origin" : !sure ? "origin unsure" : better ? "up" : "down" })]))));
  });
  return h("figure", { class: "panel" }, h("figcaption", {}, one.setting, scale.unit && ` (${scale.unit})`), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": one.setting }, h("table", {}, h("tbody", {}, lines))));
}

function drawParallel() {
  const { model, data, state } = page, holder = document.getElementById("parallel");
  const rows = [...Array(model.count).keys()].filter((row) => model.done(row) && !model.bases.has(row));
  const settings = model.settings.map((one) => ({ ...one, values: [...new Set(rows.map(one.of))] })).filter((one) => one.values.length > 1).slice(0, 8), metrics = [data.axes.quality, ...data.axes.costs].filter(Number.isInteger);
  holder.hidden = holder.previousSibling.hidden = settings.length + metrics.length < 2;
  if (holder.hidden) return;
  const text = { color: ink("muted"), fontSize: 12 }, line = { axisLine: { lineStyle: { color: ink("line") } }, axisLabel: { color: ink("ink"), width: 90, overflow: "truncate" }, nameTextStyle: text, nameLocation: "end" };
  const dims = [...settings.map((one, dim) => { const numbers = one.values.every((value) => value === "" || Number.isFinite(Number(value))); return numbers ? { dim, name: one.name, type: "value", scale: true, ...line } : { dim, name: one.name, type: "category", data: one.values.map((value) => value || "none"), ...line }; }),
    ...metrics.map((metric, place) => ({ dim: settings.length + place, name: model.metrics[metric].short, type: "value", scale: true, ...line, ...(model.metrics[metric].better === "lower" ? { inverse: true, nameLocation: "start" } : {}), axisLabel: { ...line.axisLabel, formatter: (value) => (value * model.metrics[metric].factor).toLocaleString("en", { maximumSignificantDigits: 4 }) } }))];
  const values = (row) => [...settings.map((one, dim) => (dims[dim].type === "value" ? Number(one.of(row)) : one.of(row) || "none")), ...metrics.map((metric) => { const value = model.value(metric, row); return Number.isNaN(value) ? "-" : value; })];
  const chosen = (row) => state.selected === row || state.pinned.includes(row);
  chart(holder, "settings and metrics of all runs as parallel lines; the better end of each metric is up", () => ({ tooltip: tooltip({ trigger: "item", formatter: (event) => (event.data?.row === undefined ? "" : pointNote(event.data.row, metrics)) }), parallel: { left: 70, right: 70, top: 34, bottom: 36 }, parallelAxis: dims,
    series: [{ type: "parallel", progressive: 500, smooth: false, lineStyle: { width: 1.2, opacity: rows.length > 500 ? 0.12 : 0.45 }, data: rows.map((row) => ({ value: values(row), row, lineStyle: { color: colour(model.method(row)), ...(chosen(row) ? { width: 4, opacity: 1 } : {}) } })) }] }), (event) => event.data?.row !== undefined && state.select(event.data.row));
}
