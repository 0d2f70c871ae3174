// The page: reads its data, draws each part when it comes near the screen, and again when a choice concerns it.
const PARTS = [
  ["table", "Table", drawTable, ["selected", "pinned", "baseline", "sort", "filter", "show", "line", "columns"]],
  ["explorer", "Trade-offs", drawExplorer, ["selected", "pinned", "x", "y", "z", "limits"]],
  ["compare", "Compare", drawCompare, ["selected", "pinned", "baseline", "columns"]],
  ["steps", "Steps", drawSteps, ["selected", "pinned"]],
  ["effects", "Settings", drawEffects, ["selected", "pinned", "effect"]],
  ["segments", "Segments", drawSegments, ["selected"]],
  ["samples", "Samples", drawSamples, ["selected", "pinned", "baseline", "samples", "evaluator"]],
  ["training", "Training", drawTraining, ["selected", "pinned", "curve"]],
  ["cost", "Cost", drawCost, []],
  ["lineage", "Lineage", drawLineage, ["selected", "pinned", "baseline"]],
  ["failures", "Failures", drawFailures, []],
  ["provenance", "Records", drawProvenance, []],
];
const page = { data: null, model: null, state: null, legend: "", drawn: new Set(), refresh: null };

function drawPart([name, , draw]) {
  const body = document.querySelector(`#${name} > .body`);
  if (body) { page.drawn.add(name); draw(body); }
}

function changed(names) {
  drawSelection();
  if (!names || names.some((name) => ["selected", "pinned", "frontX"].includes(name))) { drawDecision(); drawFront(); }
  for (const part of PARTS) if (page.drawn.has(part[0]) && (!names || part[3].some((name) => names.includes(name)))) drawPart(part);
}

// A live page calls this with new data: choices, scroll positions and opened parts stay.
page.refresh = (data) => {
  page.data = data;
  page.model = new Model(data);
  if (page.state) { page.state.sane(); keepFocus(changed); }
};

// A link to each part, and to each section of a plugin by its first heading.
function drawNavigation() {
  const jump = (id) => (event) => { event.preventDefault(); const to = document.getElementById(id); to.scrollIntoView(); to.querySelector("h2")?.focus({ preventScroll: true }); };
  document.querySelectorAll(".plugin").forEach((section, place) => { section.id ||= `plugin-${place}`; });
  document.querySelector("nav").replaceChildren(...[...document.querySelectorAll(".part")].map((section) => {
    const words = section.matches(".plugin") ? (section.querySelector("h2, h3")?.textContent || "Plugin").slice(0, 40) : PARTS.find(([name]) => name === section.id)[1];
    return h("a", { href: `#${section.id}`, onclick: jump(section.id) }, words);
  }));
}

function start(data) {
  page.refresh(data);
  page.legend = document.getElementById("data").dataset.legend;
  page.state = new State();
  page.state.watchers.push((names) => keepFocus(() => changed(names)));
  const near = new IntersectionObserver((seen) => {
    for (const one of seen) if (one.isIntersecting) { near.unobserve(one.target); if (!page.drawn.has(one.target.id)) drawPart(PARTS.find(([name]) => name === one.target.id)); }
  }, { rootMargin: "600px" });
  for (const part of document.querySelectorAll(".part:not(.plugin)")) near.observe(part);
  drawNavigation();
  document.getElementById("copies").replaceChildren(copyButton("sentence", () => page.data.sentence.map(([text]) => text).join("")), copyButton("link", () => location.href), copyButton("table", tableText));
  changed();
  dark.addEventListener("change", () => changed());
  addEventListener("beforeprint", () => { for (const part of PARTS) if (!page.drawn.has(part[0])) drawPart(part); fillTable(true, true); });
  addEventListener("afterprint", () => fillTable(true));
  addEventListener("ptx-data", (event) => page.refresh(event.detail)); // what a live page sends
  document.documentElement.dataset.ready = "yes";
}

// The table as the reader sees it, for a spreadsheet: tabs between cells, and no cell that a spreadsheet would compute.
function tableText() {
  const { model } = page, safe = (text) => (/^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text) && !/^[+-]?[\d.]/.test(text) ? `'${text}` : text).replace(/[\t\n\r]+/g, " ");
  const rows = tableRows.length ? tableRows : filteredRows(), columns = shownColumns();
  const lines = rows.map((row) => [model.label(row), ...model.settings.map((one) => one.of(row)), ...columns.flatMap((metric) => { const one = model.measured(metric, row); return [one.v, one.lo, one.hi].map((value) => (Number.isFinite(value) ? String(value) : "")); })].map(safe).join("\t"));
  return [["run", ...model.settings.map((one) => one.name), ...columns.flatMap((metric) => ["", " low", " high"].map((end) => model.metrics[metric].name + end))].map(safe).join("\t"), ...lines].join("\n");
}

const given = JSON.parse(document.getElementById("data").textContent);
if (given) start(given); // a live page has none yet, and starts when its first data have come
