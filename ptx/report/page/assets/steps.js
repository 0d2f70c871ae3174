// What each step did: a waterfall along the recipe of the selected run, one panel per metric.
const focus = () => {
  const { state, data } = page, wanted = [state.selected, ...state.pinned, ...data.matrix.lines.map(([row]) => row), ...Object.keys(data.links).map(Number)];
  return wanted.find((row) => row !== null && data.links[row]?.length);
};

function drawSteps(body) {
  const row = focus(), { model, data } = page;
  if (row === undefined) { body.replaceChildren(h("p", { class: "small" }, "No two models along one recipe were measured.")); return; }
  const links = data.links[row], metrics = data.columns.filter((metric) => links.some((link) => link.changes[metric])).slice(0, 12);
  const said = page.state.selected !== null && page.state.selected !== row ? ` (${model.label(page.state.selected)} has no measured steps)` : "";
  body.replaceChildren(h("p", { class: "small" }, h("strong", {}, model.label(row)), `: ${[model.label(links[0].before), ...links.map((link) => link.steps.join(" + ") || "another runtime")].join(" → ")}${said}. Filled bars are changes beyond noise, outlined ones are not; a bar to the right is better. Corrected over the whole recipe.`),
    h("div", { class: "falls" }, metrics.map((metric) => waterfall(metric, links))));
}

// Each bar starts where the one before has ended, in units of the largest move of the panel.
function waterfall(metric, links) {
  const { model } = page, one = model.metrics[metric], sign = one.better === "higher" ? 1 : -1, moves = links.map((link) => (link.changes[metric] ? unpack(link.changes[metric][0]) : [NaN, NaN, NaN]));
  let at = 0;
  const spans = moves.map(([value]) => { const from = at; if (Number.isFinite(value)) at += sign * value; return [from, at]; });
  // where the interval of a step ends, seen from where the step began
  const whiskers = moves.map(([, lo, hi], index) => [lo, hi].map((end) => spans[index][0] + sign * end).filter(Number.isFinite));
  const low = Math.min(0, ...spans.flat(), ...whiskers.flat()), high = Math.max(0, ...spans.flat(), ...whiskers.flat()), wide = high - low || 1, place = (value) => 4 + ((value - low) / wide) * 192;
  const picture = svg("svg", { viewBox: `0 0 200 ${links.length * 22 + 4}`, class: "fall", "aria-hidden": "true" }, svg("line", { x1: place(0), x2: place(0), y1: 0, y2: links.length * 22 + 4, class: "zero" }),
    ...spans.flatMap(([from, to], index) => { if (!Number.isFinite(moves[index][0])) return []; const mark = links[index].changes[metric]?.[1]; const [a, b] = whiskers[index]; const line = Number.isFinite(a) && Number.isFinite(b) && a !== b ? [svg("line", { x1: place(a), x2: place(b), y1: index * 22 + 11.5, y2: index * 22 + 11.5, class: "whisker" })] : [];
      return [svg("rect", { x: Math.min(place(from), place(to)), width: Math.max(2, Math.abs(place(to) - place(from))), y: index * 22 + 4, height: 15, class: `${to >= from ? "up" : "down"}${"▲▼".includes(mark) && mark ? "" : " unsure"}` }), ...line]; }));
  const lines = links.map((link, index) => { const [value, lo, hi] = moves[index], [gap, ends] = gapText(one, { v: value, lo, hi }), mark = link.changes[metric]?.[1] || ""; return h("li", {}, h("b", {}, link.steps.join(" + ") || "runtime"), " ", Number.isFinite(value) ? h("span", { class: verdict(mark) }, `${mark} ${gap}`) : h("span", { class: "quiet" }, "not comparable"), Number.isFinite(value) && lo !== hi && h("small", {}, ` ${ends}`)); });
  return h("figure", { class: "panel" }, h("figcaption", {}, one.short, one.unit && ` (${one.unit})`), picture, h("ol", { class: "plain" }, lines));
}
