// The table: every run, drawn row by row as it comes into view; sorted, filtered and compared as the reader chooses.
const LINES = [["interval", "95 % interval"], ["difference", "difference"], ["ratio", "ratio to baseline"], ["n", "number of items"], ["none", "nothing"]];
const ROW_HEIGHT = 47, VIRTUAL_FROM = 120;
const RANK = { front: 0, near: 1, dominated: 3, missing: 4 };

// Quality, latency and size first, whatever else the reader has chosen.
function shownColumns() {
  const { quality, costs } = page.data.axes, first = [quality, ...costs].filter(Number.isInteger);
  return [...first, ...(page.state.columns ?? page.data.columns).filter((metric) => !first.includes(metric))];
}

const baselineOf = (row) => (page.state.baseline === null ? (Number.isFinite(page.model.reference[row]) ? page.model.reference[row] : null) : page.state.baseline);

function filteredRows() {
  const { model, state } = page, words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (row) => words.every((word) => `${model.full(row)} ${model.label(row)} ${model.status(row)}`.toLowerCase().includes(word))
    && (state.show === "all" || (state.show === "pinned" ? state.pinned.includes(row) : state.show === "failed" ? !model.done(row) : model.bases.has(row) || model.place(row) === "front" || (state.show === "near" && model.place(row) === "near")));
  const rows = [...Array(model.count).keys()].filter(fits), [key, down] = [state.sort.replace(/^-/, ""), state.sort.startsWith("-")];
  const headline = page.data.axes.quality, value = sortValue(key);
  if (!value) {
    const rank = (row) => (model.bases.has(row) ? 2 : RANK[model.place(row)]), more = Number.isInteger(headline) ? (row) => -oriented(headline, model.value(headline, row)) : () => 0;
    return rows.sort((a, b) => rank(a) - rank(b) || (more(a) || 0) - (more(b) || 0) || a - b);
  }
  const empty = (one) => one === undefined || one === "" || Number.isNaN(one);
  return rows.sort((a, b) => {
    const [one, two] = [value(a), value(b)];
    if (empty(one) || empty(two)) return empty(one) - empty(two);
    const sign = typeof one === "string" ? one.localeCompare(two, "en", { numeric: true }) : one - two;
    return (down ? -sign : sign) || a - b;
  });
}

function sortValue(key) {
  const { model } = page;
  if (key === "name") return (row) => model.label(row);
  if (key === "delta") return (row) => model.difference(page.data.axes.quality, row, page.state.baseline)?.v ?? NaN;
  if (key.startsWith("set:")) return model.settings[Number(key.slice(4))]?.of;
  if (key.startsWith("m:") && model.metrics[Number(key.slice(2))]) return (row) => model.value(Number(key.slice(2)), row);
  return null;
}

function sortButton(key, first, ...words) {
  const { state } = page, now = state.sort.replace(/^-/, "") === key ? (state.sort.startsWith("-") ? "descending" : "ascending") : null;
  const press = () => { const orders = first === "descending" ? [`-${key}`, key] : [key, `-${key}`]; state.set({ sort: state.sort === orders[0] ? orders[1] : state.sort === orders[1] ? "" : orders[0] }); };
  return [now, h("button", { type: "button", onclick: press }, words)];
}

function tableHead() {
  const { model } = page, head = (more, key, first, ...words) => { const [now, made] = sortButton(key, first, ...words); return h("th", { scope: "col", "aria-sort": now, ...more }, made); };
  const quality = page.data.axes.quality, against = page.state.baseline === null ? page.data.reference : model.label(page.state.baseline);
  return h("thead", {}, h("tr", {}, head({ class: "name" }, "name", "ascending", "run"),
    model.settings.map((one, place) => head({}, `set:${place}`, "ascending", one.name)),
    Number.isInteger(quality) && head({ class: "num", title: `difference from ${against}` }, "delta", "descending", h("small", {}, `against ${against}`), `Δ ${model.metrics[quality].short}`),
    shownColumns().map((metric) => { const one = model.metrics[metric]; return head({ class: "num", title: `${one.name}: ${one.better} is better` }, `m:${metric}`, one.better === "higher" ? "descending" : "ascending", h("small", {}, one.group), one.title, one.unit && h("span", { class: "unit" }, ` ${one.unit}`)); })));
}

function metricCell(metric, row) {
  const { model } = page, one = model.metrics[metric], found = model.measured(metric, row);
  if (Number.isNaN(found.v)) return h("td", { class: "num", title: model.note(metric, row) || "not measured" }, h("span", { class: "quiet" }, "–"));
  const gap = model.difference(metric, row, page.state.baseline), mark = gap?.mark || "";
  const best = one.best === row ? h("span", { class: "star", title: "measurably the best of this column" }, "★") : "";
  return h("td", { class: "num", title: cellNote(metric, row, gap) }, best, number(one, found.v), h("span", { class: `mark ${verdict(mark)}` }, mark === "." ? "" : mark), h("small", {}, secondLine(metric, row, gap)));
}

function secondLine(metric, row, gap) {
  const { model, state } = page, one = model.metrics[metric], found = model.measured(metric, row), base = baselineOf(row);
  if (state.line === "none") return "";
  if (state.line === "n") return `n = ${found.n.toLocaleString("en")}`;
  if (state.line === "difference") return gap ? gapText(one, gap).slice(0, gap.how === "exact" ? 1 : 2).join(" ") : "";
  const theirs = base === null ? NaN : model.value(metric, base);
  if (state.line === "ratio" || (found.lo === found.hi && one.words)) return ratioText(found.v, theirs, one.words) || (found.lo === found.hi ? "exact" : "");
  return found.lo === found.hi ? "exact" : interval(one, found.lo, found.hi);
}

function ratioText(value, base, words) {
  if (!(value > 0 && base > 0)) return "";
  const ratio = base / value;
  if (!words) return `${(value / base).toFixed(2)} ×`;
  if (ratio > 0.995 && ratio < 1.005) return "equal";
  const [factor, word] = ratio > 1 ? [ratio, words[0]] : [1 / ratio, words[1]];
  return `${factor.toFixed(factor < 1.95 ? 2 : 1)}× ${word}`;
}

function cellNote(metric, row, gap) {
  const { model } = page, base = baselineOf(row), lines = [model.text(metric, row)];
  if (model.note(metric, row)) lines.push(model.note(metric, row));
  if (gap && base !== null) {
    const words = { "▲": "better than", "▼": "worse than", "≈": "no difference beyond noise from", "?": "too few items to compare with", "=": "equal to (within 0.5 %)" }[gap.mark];
    const one = model.metrics[metric], p = gap.how === "exact" ? "" : `, Holm-corrected p=${gap.p.toPrecision(2)}`;
    lines.push(`${words} ${model.label(base)}: ${gapText(one, gap, true).slice(0, gap.how === "exact" ? 1 : 2).join(" ")}, ${gap.how}${p}`);
  }
  return lines.join("\n");
}

function deltaCell(row) {
  const quality = page.data.axes.quality, gap = page.model.difference(quality, row, page.state.baseline), one = page.model.metrics[quality];
  if (!gap) return h("td", { class: "num" }, h("small", {}, row === page.state.baseline || page.model.bases.has(row) ? "baseline" : ""));
  return h("td", { class: "num", title: cellNote(quality, row, gap) }, h("span", { class: verdict(gap.mark) }, h("span", { class: `mark ${verdict(gap.mark)}` }, gap.mark), gapText(one, gap)[0]), h("small", {}, gap.how === "exact" ? "exact" : gapText(one, gap)[1]));
}

function tableRow(row) {
  const { model, state } = page, seeds = page.data.rows.seeds[row], columns = shownColumns();
  const pinned = state.pinned.includes(row), standing = model.done(row) ? model.place(row) : model.status(row);
  const name = h("th", { scope: "row", class: "name", title: model.full(row) }, h("div", { class: "run" },
    h("button", { type: "button", class: "pin", "aria-pressed": String(pinned), "aria-label": `pin ${model.label(row)}`, onclick: (event) => { event.stopPropagation(); state.pin(row); } }, pinned ? "◉" : "○"),
    rowLink(row)), h("small", {}, [model.bases.has(row) ? "baseline" : { front: "on the front", near: "possibly on the front", missing: lacking(row) }[standing] || standing, seeds ? ` · ${seeds[0]} of ${seeds[1]} seeds` : ""]));
  const made = h("tr", { "data-row": row, class: [state.selected === row && "chosen", model.bases.has(row) && "base", model.place(row) === "front" && "on-front"].filter(Boolean).join(" ") }, name,
    model.settings.map((one) => h("td", {}, one.of(row))));
  if (model.done(row)) made.append(...(Number.isInteger(page.data.axes.quality) ? [deltaCell(row)] : []), ...columns.map((metric) => metricCell(metric, row)));
  else if (["planned", "unfinished", "running"].includes(model.status(row))) made.append(h("td", { colspan: columns.length + 1, class: "quiet" }, "no results yet"));
  else made.append(h("td", { colspan: columns.length + 1 }, h("span", { class: "status" }, model.status(row)), h("small", {}, h("a", { href: "#failures", onclick: (event) => { event.preventDefault(); document.getElementById("failures")?.scrollIntoView(); } }, "see the failures"))));
  return made;
}

// Which of quality, latency and size a row has no value of.
function lacking(row) {
  const { quality, costs } = page.data.axes, names = [quality, ...costs].filter((metric) => Number.isInteger(metric) && Number.isNaN(page.model.value(metric, row)));
  return names.length ? `no ${names.map((metric) => page.model.metrics[metric].group || page.model.metrics[metric].short).join(", ")}` : "lacks a value";
}

let tableRows = [];

function drawTable(body) {
  if (!body.firstChild) {
    body.append(h("div", { class: "tools", id: "table-tools" }), h("div", { class: "scroll big", id: "table-scroll", tabindex: 0, role: "region", "aria-label": "results" }), h("p", { class: "small", id: "table-legend" }));
    body.querySelector("#table-scroll").addEventListener("scroll", () => requestAnimationFrame(() => fillTable()), { passive: true });
    tableTools();
  }
  tableRows = filteredRows();
  const scroll = document.getElementById("table-scroll"), left = scroll.scrollLeft, top = scroll.scrollTop;
  scroll.replaceChildren(h("table", { class: "results", "aria-rowcount": tableRows.length }, tableHead(), h("tbody")));
  fillTable(true);
  scroll.scrollLeft = left; scroll.scrollTop = top;
  document.getElementById("table-count").textContent = tableRows.length === page.model.count ? plural(page.model.count, "run") : `${tableRows.length.toLocaleString("en")} of ${plural(page.model.count, "run")}`;
  document.getElementById("table-legend").textContent = `${page.legend} ★ marks a value that is measurably the best of its column.`;
}

// Paper repeats a head on every page, and a browser leaves out the buttons when it does.
function plainHead(head, plain) {
  if (plain) { head.dataset.plain = "yes"; head.querySelectorAll("button").forEach((one) => one.replaceWith(h("span", {}, [...one.childNodes]))); }
  else if (head.dataset.plain) head.replaceWith(tableHead());
}

// Only what is in view, and a screen more each way; print draws the first two hundred.
function fillTable(always = false, all = false) {
  const scroll = document.getElementById("table-scroll"), body = scroll?.querySelector("tbody");
  if (!body) return;
  const virtual = tableRows.length > VIRTUAL_FROM && !all, margin = 15;
  const first = virtual ? Math.max(0, Math.floor(scroll.scrollTop / ROW_HEIGHT) - margin) : 0;
  const last = virtual ? Math.min(tableRows.length, first + Math.ceil(scroll.clientHeight / ROW_HEIGHT) + 2 * margin) : Math.min(tableRows.length, all ? 200 : tableRows.length);
  if (!always && Number(body.dataset.first) === first && Number(body.dataset.last) === last) return;
  body.dataset.first = first; body.dataset.last = last;
  const gap = (count) => { const made = h("tr", { class: "gap", "aria-hidden": true }); made.style.height = `${count * ROW_HEIGHT}px`; return count > 0 ? made : ""; };
  body.className = virtual ? "virtual" : "";
  plainHead(scroll.querySelector("thead"), all);
  body.replaceChildren(gap(first), ...tableRows.slice(first, last).map(tableRow), gap(virtual ? tableRows.length - last : 0));
}

function tableTools() {
  const { model, state } = page;
  const search = h("input", { type: "search", value: state.filter, placeholder: "filter: sft gptq", "aria-label": "filter the runs", oninput: () => state.set({ filter: search.value }) });
  const chooser = h("details", { class: "chooser" }, h("summary", {}, "Columns"), h("div", { class: "choices" }, model.metrics.map((one, metric) => h("label", {}, h("input", { type: "checkbox", checked: shownColumns().includes(metric), disabled: [page.data.axes.quality, ...page.data.axes.costs].includes(metric),
    onchange: (event) => state.set({ columns: event.target.checked ? [...shownColumns(), metric].sort((a, b) => a - b) : shownColumns().filter((each) => each !== metric) }) }), ` ${one.name}`))));
  document.getElementById("table-tools").replaceChildren(search,
    menu("show", [["all", "all runs"], ["front", "the front"], ["near", "possibly on the front"], ["pinned", "pinned"], ["failed", "without results"]], state.show, (show) => state.set({ show })),
    menu("second line", LINES, state.line, (line) => state.set({ line })), baselineMenu(), chooser, h("output", { id: "table-count", class: "small" }));
}

function baselineMenu() {
  const { model, state } = page, order = [...Array(model.count).keys()].filter((row) => model.done(row)).sort((a, b) => model.bases.has(b) - model.bases.has(a) || RANK[model.place(a)] - RANK[model.place(b)]).slice(0, 300);
  if (state.baseline !== null && !order.includes(state.baseline)) order.unshift(state.baseline);
  return menu("baseline", [["", `as recorded: ${page.data.reference}`], ...order.map((row) => [row, model.label(row)])], state.baseline ?? "", (value) => state.set({ baseline: value === "" ? null : Number(value) }));
}
