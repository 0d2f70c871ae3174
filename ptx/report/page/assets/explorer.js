// Trade-offs: any two or three metrics, limits on the others, the hypervolume of what is left.
function drawExplorer(body) {
  const { model, state, data } = page, finite = (metric) => model.metrics[metric].v.filter(Number.isFinite).length;
  const usable = model.metrics.map((_, metric) => metric).filter((metric) => finite(metric) > 1);
  const y = state.y ?? data.axes.quality ?? usable[0], x = state.x ?? data.axes.costs[data.axes.costs.length - 1] ?? usable[1];
  if (x === undefined || y === undefined || usable.length < 2) { body.replaceChildren(h("p", { class: "small" }, "It takes two metrics of two runs to draw a trade-off.")); return; }
  if (!body.firstChild || !body.querySelector(".plot")) {
    body.replaceChildren(h("div", { class: "tools", id: "explorer-tools" }), h("div", { class: "two" }, h("div", {}, h("div", { class: "plot tall" }), h("p", { class: "small key", id: "explorer-key" })), h("div", { class: "limits", id: "limits" })), h("p", { class: "small", id: "explorer-said", role: "status" }));
    limits([...new Set([y, ...data.axes.costs, ...data.columns])].filter((metric) => usable.includes(metric)).slice(0, 7));
  }
  const options = usable.map((metric) => [metric, model.metrics[metric].short]);
  document.getElementById("explorer-tools").replaceChildren(menu("across", options, x, (value) => state.set({ x: Number(value) })), menu("up", options, y, (value) => state.set({ y: Number(value) })),
    menu("third", [["", "none"], ...options], state.z ?? "", (value) => state.set({ z: value === "" ? null : Number(value) })));
  const axes = state.z === null ? [x, y] : [x, y, state.z];
  const rows = [...Array(model.count).keys()].filter((row) => axes.every((metric) => Number.isFinite(model.value(metric, row))));
  const kept = rows.filter(within), best = undominated(kept, axes), keeps = new Set(kept);
  const share = rows.length ? hypervolume(kept, axes) : 0;
  document.getElementById("explorer-said").textContent = `${kept.length.toLocaleString("en")} of ${plural(rows.length, "run")} keep the limits; ${best.length} on the front by value. Hypervolume of the front: ${(share * 100).toFixed(1)} % of the box between the worst and the best values.`;
  document.getElementById("explorer-key").replaceChildren(...legend(rows), state.z === null ? "" : h("span", {}, `size of a point: ${model.metrics[state.z].short}`));
  chart(body.querySelector(".plot"), `${model.metrics[y].short} against ${model.metrics[x].short}, ${kept.length} runs within the limits`, () => {
    const option = scatter(rows, x, y, state.z === null ? best : undominated(kept, [x, y]), new Set([...best.slice(0, 12), ...rows.filter((row) => model.bases.has(row)).slice(0, 1)]), (row) => !keeps.has(row));
    if (state.z !== null) for (const series of option.series) if (series.type === "scatter") for (const one of series.data) one.symbolSize = sized(state.z, one.row);
    return option;
  }, (event) => event.data?.row !== undefined && state.select(event.data.row));
}

function sized(metric, row) {
  const all = page.model.metrics[metric].v.filter(Number.isFinite), low = Math.min(...all.slice(0, 5000)), high = Math.max(...all.slice(0, 5000));
  return high > low ? 6 + (18 * (page.model.value(metric, row) - low)) / (high - low) : 10;
}

function within(row) {
  return Object.entries(page.state.limits).every(([metric, limit]) => {
    const value = page.model.value(Number(metric), row), more = page.model.metrics[metric]?.better === "higher";
    return !Number.isFinite(limit) || Number.isNaN(value) || (more ? value >= limit : value <= limit);
  });
}

// A slider per metric: at least where more is better, at most where less is.
function limits(metrics) {
  const { model, state } = page;
  document.getElementById("limits").replaceChildren(h("h3", {}, "Limits"), ...metrics.map((metric) => {
    const one = model.metrics[metric], all = one.v.filter(Number.isFinite).sort((a, b) => a - b), more = one.better === "higher";
    const [low, high] = [all[0], all[all.length - 1]], loose = more ? low : high, now = state.limits[metric] ?? loose;
    const said = h("output", {}, `${more ? "≥" : "≤"} ${withUnit(one, now)}`), share = high > low ? (now - low) / (high - low) : more ? 0 : 1;
    const slider = h("input", { type: "range", min: 0, max: 1000, value: Math.round(share * 1000), "aria-label": `${one.short} ${more ? "at least" : "at most"}`, "data-metric": metric, oninput: () => {
      const value = low + ((high - low) * Number(slider.value)) / 1000, kept = { ...state.limits };
      if ((more && slider.value === "0") || (!more && slider.value === "1000")) delete kept[metric]; else kept[metric] = Number(value.toPrecision(6));
      said.textContent = `${more ? "≥" : "≤"} ${withUnit(one, value)}`;
      state.set({ limits: kept });
    } });
    return h("label", { class: "slider" }, h("span", {}, one.short), said, slider);
  }), button("Clear the limits", () => { state.set({ limits: {} }); limits(metrics); }, { class: "quiet" }));
}
