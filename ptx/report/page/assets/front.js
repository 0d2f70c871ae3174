// The front: which rows are on it for two metrics, its step line, the band of its intervals, and its hypervolume.
function oriented(metric, value) { return page.model.metrics[metric].better === "higher" ? value : -value; }

// The rows that no other row beats on all of the metrics, by their values.
function undominated(rows, metrics) {
  const points = rows.map((row) => [row, metrics.map((metric) => oriented(metric, page.model.value(metric, row)))])
    .sort((a, b) => { for (let i = 0; i < metrics.length; i += 1) if (a[1][i] !== b[1][i]) return b[1][i] - a[1][i]; return 0; });
  const kept = [];
  for (const [row, values] of points) {
    if (!kept.some(([, other]) => other.every((value, i) => value >= values[i]) && other.some((value, i) => value > values[i]))) kept.push([row, values]);
  }
  return kept.map(([row]) => row);
}

// Corners of the step line through the front, from one side of the plot to the other; `end` picks v, lo or hi of y.
function corners(front, x, y, end = "v") {
  const model = page.model, cheap = model.metrics[x].better === "lower" ? 1 : -1, more = model.metrics[y].better === "higher";
  const order = [...front].sort((a, b) => cheap * (model.value(x, a) - model.value(x, b))), found = [];
  let best = null;
  for (const row of order) {
    const given = model.metrics[y][end][row], value = Number.isFinite(given) ? given : model.value(y, row);
    const next = best === null ? value : more ? Math.max(best, value) : Math.min(best, value);
    if (best !== null) found.push([model.value(x, row), best]);
    found.push([model.value(x, row), next]);
    best = next;
  }
  return found;
}

// The band in which the front lies as far as the measurement can say: between the lower and the upper ends of y.
function band(front, x, y) {
  if (front.length < 1) return [];
  const low = corners(front, x, y, "lo"), high = corners(front, x, y, "hi");
  const at = [[page.model.value(x, front[0]), page.model.value(y, front[0])]]; // a point of the plot, so that the axes do not stretch
  return [{ type: "custom", silent: true, z: 0, data: at, renderItem(params, api) {
    const box = params.coordSys, edge = page.model.metrics[x].better === "lower" ? box.x + box.width : box.x;
    const pixels = (line) => { const at = line.map((one) => api.coord(one)); return [...at, [edge, at[at.length - 1][1]]]; };
    return { type: "polygon", shape: { points: [...pixels(low), ...pixels(high).reverse()] }, style: { fill: ink("accent"), opacity: 0.1 } };
  } }, { type: "custom", silent: true, z: 1, data: at, renderItem(params, api) {
    const box = params.coordSys, edge = page.model.metrics[x].better === "lower" ? box.x + box.width : box.x;
    const at = corners(front, x, y).map((one) => api.coord(one));
    return { type: "polyline", shape: { points: [...at, [edge, at[at.length - 1][1]]] }, style: { fill: "none", stroke: ink("accent"), lineWidth: 1.5, opacity: 0.6 } };
  } }];
}

// Points that cannot be seen at the ends of the intervals of some rows, so that the axes have room for them.
function ends(rows, x, y) {
  const model = page.model, found = rows.flatMap((row) => [["lo", "v"], ["hi", "v"], ["v", "lo"], ["v", "hi"]].map(([a, b]) => [model.metrics[x][a][row], model.metrics[y][b][row]]));
  return { type: "scatter", silent: true, symbolSize: 0, data: found.filter((one) => one.every(Number.isFinite)) };
}

// The share of the box between the worst and the best values that some row of the front reaches.
function hypervolume(rows, metrics) {
  const spans = metrics.map((metric) => { const all = rows.map((row) => oriented(metric, page.model.value(metric, row))); return [Math.min(...all), Math.max(...all)]; });
  const points = undominated(rows, metrics).map((row) => metrics.map((metric, i) => {
    const [low, high] = spans[i]; return high > low ? (oriented(metric, page.model.value(metric, row)) - low) / (high - low) : 1; }));
  return volume(points);
}

function volume(points) {
  if (!points.length) return 0;
  if (points[0].length === 1) return Math.max(...points.map((one) => one[0]));
  const order = [...points].sort((a, b) => b[0] - a[0]);
  let sum = 0;
  order.forEach((one, place) => {
    const next = place + 1 < order.length ? order[place + 1][0] : 0;
    if (one[0] > next) sum += (one[0] - next) * volume(order.slice(0, place + 1).map((each) => each.slice(1)));
  });
  return sum;
}
