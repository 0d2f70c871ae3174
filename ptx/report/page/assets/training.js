// Training curves with axes; under each step the sentences that its curves ask for.
function drawTraining(body) {
  const { data, state, model } = page;
  if (!data.training.length) { body.replaceChildren(h("p", { class: "small" }, "No step has logged a curve.")); return; }
  const names = [...new Set(data.training.flatMap((one) => one.metrics.map((metric) => metric.name)))], name = names.includes(state.curve) ? state.curve : names[0];
  if (!body.querySelector(".plot")) body.replaceChildren(h("div", { class: "tools", id: "curve-tools" }), h("div", { class: "plot tall" }), h("ul", { class: "said-list", id: "curve-said" }));
  document.getElementById("curve-tools").replaceChildren(menu("curve", names.map((one) => [one, one]), name, (value) => state.set({ curve: value })));
  const steps = data.training.filter((one) => one.metrics.some((metric) => metric.name === name)).slice(0, 24), label = (one) => `${one.step} of ${model.label(Math.min(...one.rows))}${one.rows.length > 1 ? ` and ${one.rows.length - 1} more` : ""}${one.seed !== "0" ? ` seed ${one.seed}` : ""}`;
  document.getElementById("curve-said").replaceChildren(...data.training.flatMap((one) => one.said.map((text) => h("li", {}, h("strong", {}, `${label(one)}: `), text))));
  const LINES = ["solid", "dashed", "dotted"], kinds = [...new Set(steps.map((one) => one.step))], chosen = (one) => one.rows.includes(state.selected) || one.rows.some((row) => state.pinned.includes(row)), any = steps.some(chosen), number4 = (value) => Number(value).toLocaleString("en", { maximumSignificantDigits: 4 });
  const axisOf = (title, more) => ({ type: "value", scale: true, name: title, nameLocation: "middle", nameGap: 30, nameTextStyle: { color: ink("muted") }, axisLabel: { color: ink("muted"), hideOverlap: true }, splitLine: { lineStyle: { color: ink("grid") } }, axisLine: { lineStyle: { color: ink("line") } }, ...more });
  chart(body.querySelector(".plot"), `${name} over the steps of ${steps.map((one) => one.step).join(", ")}`, () => ({ grid: { left: 66, right: 20, top: 36, bottom: 44 }, legend: { top: 0, type: "scroll", textStyle: { color: ink("ink") } },
    tooltip: tooltip({ trigger: "axis", formatter: (events) => h("div", {}, h("div", {}, `step ${events[0]?.value[0]}`), events.slice(0, 12).map((event) => h("div", {}, `${event.seriesName}: ${number4(event.value[1])}`))) }),
    xAxis: axisOf("step"), yAxis: axisOf(name, { nameGap: 48 }),
    series: steps.map((one) => { const curve = one.metrics.find((metric) => metric.name === name), [xs, ys] = [unpack(curve.x), unpack(curve.y)], tone = colour(model.method(one.rows[0]));
      return { type: "line", name: label(one), showSymbol: false, data: xs.map((x, place) => [x, ys[place]]), itemStyle: { color: tone }, lineStyle: { color: tone, type: LINES[kinds.indexOf(one.step) % LINES.length], width: chosen(one) ? 3.5 : 1.8, opacity: any && !chosen(one) ? 0.3 : 1 } }; }) }), () => {});
}
