// The first screen: the sentence, three cards, the gate matrix, the front.
const SIGNS = { holds: "✓", fails: "✗", undecided: "?" };
const STATES = { ships: "ships", fails: "fails", undecided: "not yet sure" };

function rowLink(row, more = {}) {
  return button(briefly(page.model.label(row)), () => page.state.select(row), { class: `row-link${page.state.selected === row ? " chosen" : ""}`, title: page.model.full(row), ...more });
}

function drawDecision() {
  const data = page.data;
  document.getElementById("sentence").replaceChildren(...sentence(data.sentence.map(([text, strong]) => [strong ? briefly(text) : text, strong])));
  document.getElementById("cards").replaceChildren(...data.cards.map(card));
  document.getElementById("matrix").replaceChildren(matrix());
  document.getElementById("notes").replaceChildren(...notes());
}

function card(one) {
  const peers = one.peers.map((row, place) => [place ? ", " : "", briefly(page.model.label(row))]).flat();
  const more = one.more ? ` and ${one.more} more` : "";
  return h("article", { class: `card ${one.kind}` }, h("h2", {}, one.title),
    one.row === null ? h("p", { class: "none" }, one.value) : [
      h("p", { class: "who" }, rowLink(one.row)), h("p", { class: "what" }, one.value),
      one.against && h("p", { class: "small" }, one.against),
      peers.length > 0 && h("p", { class: "small clamp", title: peers.join("") + more }, "As good within noise: ", peers, more),
      one.warning && h("p", { class: "warning", title: one.warning }, one.warning)]);
}

function matrix() {
  const { gate, usual, heads, lines } = page.data.matrix;
  const about = usual ? "Not worse than the baseline (the usual gate; --gate NAME takes another)" : `Gate ${gate}`;
  if (!lines.length) return h("p", { class: "small" }, `${about}: no model to judge yet.`);
  const cell = ([verdictOf, short, note]) => h("td", { class: `sign ${verdictOf}`, title: note }, h("b", {}, SIGNS[verdictOf]), h("span", { class: "away" }, verdictOf), short && h("small", {}, short));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "gate by finalist" }, h("table", { class: "matrix" }, h("caption", {}, h("span", {}, about)),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "finalist"), heads.map(([name, words, why]) => h("th", { scope: "col", title: why }, name, h("small", {}, words))), h("th", { scope: "col" }, "verdict"))),
    h("tbody", {}, lines.map(([row, state, cells]) => h("tr", { class: page.state.selected === row ? "chosen" : "" }, h("th", { scope: "row" }, rowLink(row)), cells.map(cell), h("td", { class: `state ${state}` }, STATES[state]))))));
}

function notes() {
  return page.data.notes.map(([head, more]) => (more.length
    ? h("details", { class: "note-line" }, h("summary", {}, sentence(head)), h("ul", { tabindex: 0 }, more.map((line) => h("li", {}, sentence(line)))))
    : h("p", { class: "note-line" }, sentence(head))));
}

// The cost in whose picture the most finalists can be drawn: the model to ship must be seen.
function frontX() {
  const drawn = (metric) => page.data.matrix.lines.filter(([row], place) => Number.isFinite(page.model.value(metric, row))).length;
  return page.state.frontX ?? [...page.data.axes.costs].sort((a, b) => drawn(b) - drawn(a))[0];
}

function drawFront() {
  const holder = document.getElementById("front"), { quality, costs } = page.data.axes, model = page.model;
  if (quality === undefined || quality === null || !costs.length) {
    holder.replaceChildren(h("p", { class: "small" }, "A picture needs a quality metric and a latency or a size."));
    return;
  }
  const x = frontX(), rows = [...Array(model.count).keys()].filter((row) => Number.isFinite(model.value(x, row)) && Number.isFinite(model.value(quality, row)));
  const missing = [...Array(model.count).keys()].filter((row) => model.done(row) && !rows.includes(row));
  const best = page.data.fronts[x]?.[0] ?? undominated(rows, [x, quality]);
  const named = page.data.matrix.lines.slice(0, 1).map(([row]) => row); // the run that the sentence names
  const labelled = new Set([...named, ...best.slice(0, 11), ...rows.filter((row) => model.bases.has(row)).slice(0, 1)]);
  let plot = holder.querySelector(".plot");
  if (!plot) { plot = h("div", { class: "plot" }); holder.replaceChildren(h("div", { class: "bar", id: "front-bar" }), plot, h("p", { class: "small key", id: "front-key" })); }
  document.getElementById("front-bar").replaceChildren(h("h2", {}, `${model.metrics[quality].short} against ${model.metrics[x].short}`),
    costs.length > 1 ? menu("against", costs.map((metric) => [metric, model.metrics[metric].short]), x, (value) => page.state.set({ frontX: Number(value) })) : "");
  document.getElementById("front-key").replaceChildren(...legend(rows), missing.length ? ` Not drawn, as a value is missing: ${missing.slice(0, 4).map((row) => model.label(row)).join(", ")}${missing.length > 4 ? ` and ${missing.length - 4} more` : ""}.` : "");
  plot.pixelOf = (row) => echarts.getInstanceByDom(plot).convertToPixel("grid", [model.value(x, row), model.value(quality, row)]);
  chart(plot, `${model.metrics[quality].short} against ${model.metrics[x].short}; on the front: ${best.slice(0, 12).map((row) => model.label(row)).join(", ")}`,
    () => scatter(rows, x, quality, best, labelled), (event) => event.data?.row !== undefined && page.state.select(event.data.row));
}

// A label without the groups of its settings: learning_rate for method.learning_rate.
const briefly = (text) => text.replace(/\b[\w-]+\.(?=[\w.-]+=)/g, "");

function scatter(rows, x, y, best, labelled, faint = () => false) {
  const front = new Set(best), cloud = rows.filter((row) => !front.has(row) && !page.model.bases.has(row)), model = page.model;
  const crowd = rows.length > 1500, many = rows.length > 80, own = rows.filter((row) => front.has(row) || model.bases.has(row)), tagged = rows.filter((row) => labelled.has(row));
  const quiet = (row) => (crowd ? { value: [model.value(x, row), model.value(y, row)], row } : many ? { ...point(row, x, y, 5), itemStyle: { color: colour(model.method(row)), opacity: 0.35 } } : point(row, x, y, 8));
  const tag = (row) => (model.bases.has(row) ? "baseline" : briefly(model.label(row)).slice(0, 44));
  return { grid: { left: 62, right: 20, top: 14, bottom: 46 }, xAxis: axis(x, { nameGap: 28 }), yAxis: axis(y, { nameGap: 46 }),
    tooltip: tooltip({ trigger: "item", formatter: (event) => (event.data?.row === undefined ? "" : pointNote(event.data.row, [y, x])) }),
    series: [ends(own.slice(0, 60), x, y), ...band(best, x, y), bars(own.slice(0, 60), x, y, 0.75),
      { type: "scatter", z: 2, data: cloud.filter((row) => !faint(row)).map(quiet), symbolSize: crowd ? 4 : 8, itemStyle: crowd ? { color: ink("grey") } : {}, emphasis: { scale: 1.3 }, opacity: 0.5, silent: false, clip: true, ...(crowd ? { progressive: 4000 } : {}) },
      { type: "scatter", z: 1, data: cloud.filter(faint).map((row) => ({ ...quiet(row), itemStyle: { color: ink("line") } })), symbolSize: 4 },
      { type: "scatter", z: 3, data: own.map((row) => point(row, x, y, 12)), emphasis: { scale: 1.2 } }, nameTags(tagged, x, y, tag)] };
}

// What colours and shapes mean, drawn as the chart draws them.
function legend(rows) {
  const model = page.model, methods = model.methods.filter((name) => name && rows.some((row) => model.method(row) === name)).slice(0, 8);
  const shapes = model.compressions.filter((name) => rows.some((row) => model.compression(row) === name && !model.bases.has(row))).slice(0, 7);
  const dot = (name) => { const made = h("i", { class: "swatch" }); made.style.background = colour(name); return h("span", { class: "nowrap" }, made, name); };
  const signs = { circle: "●", triangle: "▲", diamond: "◆", rect: "■", pin: "⬇", arrow: "➤", roundRect: "▢" };
  return [...methods.map(dot), ...(shapes.length > 1 ? shapes.map((name) => h("span", { class: "nowrap" }, `${signs[shape(name)]} ${name}`)) : []),
    rows.some((row) => model.emulated(row)) ? h("span", { class: "nowrap" }, "○ hollow: emulated") : "", h("span", { class: "nowrap" }, "band: possibly on the front")];
}
