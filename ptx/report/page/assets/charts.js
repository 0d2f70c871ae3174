// Charts: colours that the colour-blind tell apart in light and dark, shapes, and one way to make and renew a chart.
const SHAPES = ["circle", "triangle", "diamond", "rect", "pin", "arrow", "roundRect"];
const dark = matchMedia("(prefers-color-scheme: dark)");
const LIGHT_COLOURS = ["#1f5fbf", "#b3380f", "#08705a", "#8a3f9e", "#7a5c00", "#0b7285", "#a61e4d", "#495057"];
const DARK_COLOURS = ["#74a7f5", "#f29a75", "#5fc9ad", "#d6a2e8", "#e3bf52", "#66c8dd", "#f58fb3", "#b8c0ca"];

const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const colour = (method) => {
  const place = page.model.methods.indexOf(method), all = dark.matches ? DARK_COLOURS : LIGHT_COLOURS;
  return method === "baseline" ? ink("ink") : place < 0 ? ink("muted") : all[place % all.length];
};
const shape = (compression) => SHAPES[Math.max(0, page.model.compressions.filter((one) => one !== "none").indexOf(compression) + (compression === "none" ? 0 : 1)) % SHAPES.length];

// A chart in a holder: `option` makes the option anew whenever data, size or colours change.
function chart(holder, title, option, press) {
  let made = echarts.getInstanceByDom(holder);
  if (!made) {
    made = echarts.init(holder, null, { renderer: "canvas" });
    new ResizeObserver(() => made.resize()).observe(holder);
    made.on("click", (event) => holder.press?.(event));
  }
  holder.press = press;
  holder.setAttribute("role", "img");
  holder.setAttribute("aria-label", title);
  made.setOption({ animation: false, textStyle: { fontFamily: "system-ui, sans-serif" }, backgroundColor: "transparent",
    tooltip: tooltip(), ...option() }, true);
  return made;
}

const tooltip = (more = {}) => ({ backgroundColor: ink("paper"), borderColor: ink("line"), textStyle: { color: ink("ink"), fontSize: 12 },
  confine: true, ...more });

function axis(metric, more = {}) {
  const scale = page.model.metrics[metric], values = scale.v.filter((value) => Number.isFinite(value));
  const low = Math.min(...values.slice(0, 5000)), high = Math.max(...values.slice(0, 5000));
  const log = scale.better === "lower" && low > 0 && high / low > 10;
  const arrow = scale.better === "higher" ? "higher is better" : "lower is better";
  return { type: log ? "log" : "value", scale: true, name: `${scale.short}${scale.unit ? `, ${scale.unit}` : ""} (${arrow})`, nameLocation: "middle",
    nameTextStyle: { color: ink("muted"), fontSize: 12 }, axisLine: { lineStyle: { color: ink("line") } }, splitLine: { lineStyle: { color: ink("grid") } },
    axisLabel: { color: ink("muted"), hideOverlap: true, formatter: (value) => (value * scale.factor).toLocaleString("en", { maximumSignificantDigits: 4 }).replace("-", MINUS) }, ...more };
}

// The tooltip of a point: its name, its values, and by which row it is dominated.
function pointNote(row, metrics) {
  const model = page.model, by = model.by[row];
  return h("div", { class: "tip" }, h("strong", {}, model.label(row)),
    metrics.map((metric) => h("div", {}, `${model.metrics[metric].short}: ${model.text(metric, row)}`)),
    Number.isFinite(by) && h("div", {}, `dominated by ${model.label(by)}`),
    model.emulated(row) && h("div", {}, "its runtime only emulates it"));
}

function point(row, x, y, size) {
  const model = page.model, tone = colour(model.method(row)), hollow = Boolean(model.emulated(row));
  const base = model.bases.has(row), chosen = page.state.selected === row || page.state.pinned.includes(row);
  return { value: [model.value(x, row), model.value(y, row)], row, symbol: base ? "path://M4 0H8V4H12V8H8V12H4V8H0V4H4Z" : shape(model.compression(row)),
    symbolSize: base ? size + 3 : size + (chosen ? 5 : 0),
    itemStyle: { color: hollow ? ink("paper") : tone, borderColor: chosen ? ink("ink") : tone, borderWidth: hollow || chosen ? 2.2 : 0.6 } };
}

// The names of some rows beside their points. None covers another, a point of these rows, or the plot's edge; one
// without a place is not drawn. A line leads to a name that had to move away from its point.
const LINE = 15;
function nameTags(rows, x, y, text) {
  const model = page.model, placed = [], ruler = document.createElement("canvas").getContext("2d");
  ruler.font = "12px system-ui, sans-serif";
  return { type: "custom", silent: true, z: 4, data: rows.map((row) => [model.value(x, row), model.value(y, row), row]),
    renderItem(params, api) {
      if (params.dataIndexInside === 0) { // the chart is drawn again
        placed.length = 0;
        for (const row of rows) { const [at, up] = api.coord([model.value(x, row), model.value(y, row)]); placed.push([at - 5, up - 5, 10, 10]); }
      }
      const box = params.coordSys, [left, top] = api.coord([api.value(0), api.value(1)]), words = text(api.value(2)), width = ruler.measureText(words).width;
      const share = (left - box.x) / box.width, sides = { right: left + 10, left: left - 10 - width, middle: left - width / 2 };
      const order = share > 0.7 ? ["left", "middle", "right"] : share < 0.3 ? ["right", "middle", "left"] : ["middle", "right", "left"];
      const places = [0, -1, 1.7, -2, 2.7, -3, 3.7].flatMap((lines) => order.map((side) => [sides[side], top - 20 + lines * LINE]));
      const free = ([at, up]) => at >= box.x && at + width <= box.x + box.width && up >= box.y - 6 && up + LINE <= box.y + box.height
        && !placed.some((one) => at < one[0] + one[2] && one[0] < at + width && up < one[1] + one[3] && one[1] < up + LINE);
      const found = places.find(free);
      if (!found) return null;
      placed.push([...found, width, LINE]);
      const tag = { type: "text", x: found[0], y: found[1], style: { text: words, font: ruler.font, fill: ink("ink"), stroke: ink("paper"), lineWidth: 3 } };
      const end = [Math.min(Math.max(left, found[0]), found[0] + width), found[1] < top ? found[1] + LINE : found[1]], far = Math.hypot(end[0] - left, end[1] - top) > 16;
      return far ? { type: "group", children: [{ type: "line", shape: { x1: left, y1: top, x2: end[0], y2: end[1] }, style: { stroke: ink("muted"), lineWidth: 1, opacity: 0.7 } }, tag] } : tag;
    } };
}

// Error bars of some rows, both ways; an infinite end goes to the edge of the plot.
function bars(rows, x, y, faint) {
  const model = page.model;
  return { type: "custom", silent: true, z: 1, data: rows.map((row) => [model.value(x, row), model.value(y, row), row]),
    renderItem(params, api) {
      const row = api.value(2), box = params.coordSys, at = api.coord([api.value(0), api.value(1)]), made = [];
      const line = (x1, y1, x2, y2) => made.push({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: colour(model.method(row)), lineWidth: 1.3, opacity: faint } });
      const [left, right] = [model.metrics[x].lo[row], model.metrics[x].hi[row]], [low, high] = [model.metrics[y].lo[row], model.metrics[y].hi[row]];
      const pixel = (value, place, edge) => (Number.isFinite(value) ? api.coord(place ? [api.value(0), value] : [value, api.value(1)])[place] : edge);
      if (left < right) line(Math.max(box.x, pixel(left, 0, box.x)), at[1], Math.min(box.x + box.width, pixel(right, 0, box.x + box.width)), at[1]);
      if (low < high) line(at[0], Math.min(box.y + box.height, pixel(low, 1, box.y + box.height)), at[0], Math.max(box.y, pixel(high, 1, box.y)));
      return { type: "group", children: made };
    } };
}
