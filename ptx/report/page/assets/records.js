// What stands in the records: cost, lineage, failures, problems, provenance.
function drawCost(body) {
  const { cost } = page.data, saved = cost.asked > 0 ? cost.shared / cost.asked : 0;
  const price = h("input", { type: "number", min: 0, step: "any", value: cost.price?.[0] ?? "", placeholder: "price", "aria-label": "price of the machine per hour", oninput: () => money() }), said = h("output");
  const money = () => { const each = Number(price.value); said.textContent = each > 0 ? ` → this sweep ${((cost.run / 3600) * each).toFixed(2)}, without sharing ${((cost.asked / 3600) * each).toFixed(2)} ${cost.price?.[1] ?? ""}` : ""; };
  money();
  const works = cost.works.map(([name, kind, key, seconds, size, made, users, count]) => [name, kind, key, duration(seconds), bytes(size), made ? "here" : "in an earlier sweep", h("td", { title: users.join("\n") }, plural(count, "row"))]);
  body.replaceChildren(h("div", { class: "facts" }, fact("asked for", duration(cost.asked)), fact("run here", duration(cost.run)), fact("shared, not run again", `${duration(cost.shared)} (${Math.round(saved * 100)} %)`), cost.kinds.map(([kind, seconds]) => fact(kind || "other", duration(seconds)))),
    h("p", { class: "tools" }, h("label", { class: "menu" }, h("span", {}, `price of the machine per hour${cost.price ? `, ${cost.price[1]}` : ""}`), price), said),
    h("details", { ontoggle: (event) => { if (event.target.open && event.target.children.length < 2) event.target.append(dataTable(["step or evaluation", "kind", "key", "time", "output", "run", "used by"], works, { text: [1, 2, 5], label: "steps and evaluations" })); } }, h("summary", {}, `${plural(cost.works.length + cost.more, "distinct step")} and evaluations${cost.more ? `; the first ${cost.works.length} are listed` : ""}`)),
    ...(page.data.made[1].length ? [h("h3", {}, "Data that was made"), dataTable(["step", ...page.data.made[0], "used by"], page.data.made[1].map(([name, numbers, used]) => [name, ...numbers, plural(used, "row")]), { label: "data that was made" })] : []));
}

const fact = (name, value) => h("div", { class: "fact" }, h("span", {}, name), h("b", {}, value));

function drawLineage(body) {
  const { data, model, state } = page, row = [state.selected, ...state.pinned, data.matrix.lines[0]?.[0], ...Object.keys(data.lineage).map(Number)].find((one) => data.lineage[one]);
  if (row === undefined) { body.replaceChildren(h("p", { class: "small" }, "No run has results yet.")); return; }
  const one = data.lineage[row], node = (title, ...lines) => h("div", { class: "node" }, h("b", {}, title), lines.map((line) => h("small", {}, line)));
  const kept = state.selected !== null && state.selected !== row ? h("p", { class: "small" }, `The lineage of ${model.label(state.selected)} is in report.json and its run folder; shown is ${model.label(row)}.`) : "";
  body.replaceChildren(kept, h("p", {}, h("strong", {}, model.label(row)), " ", h("span", { class: "small" }, one.runs.join(", "), one.repeats.length ? `; repeated with the same configuration and seed as ${one.repeats.join(", ")}` : "")),
    h("div", { class: "line-of-steps" }, node(one.base[0] || "base model", one.base[1], bytes(one.base[2])), one.data[0] && node(one.data[0], "data", one.data[1]), one.steps.map(([name, kind, key, seconds, size]) => node(name, kind, key, [seconds ? duration(seconds) : "", size ? bytes(size) : ""].filter(Boolean).join(", "))), node("artifact", one.artifact[0], [bytes(one.artifact[1]), one.artifact[2]].filter(Boolean).join(" on "))),
    one.command ? h("div", { class: "command" }, h("p", { class: "small" }, "This command makes it again; what the store still holds is not run twice:"), h("pre", { tabindex: 0 }, h("code", {}, one.command)), copyButton("command", one.command)) : "",
    one.changes.length ? h("details", {}, h("summary", {}, `${plural(one.changes.length, "setting")} that differ from ${model.label(baselineOf(row) ?? row)}`), dataTable(["setting", "there", "here"], one.changes.map((line) => line.map((text) => text || "–")), { text: [1, 2], label: "settings that differ from the baseline" })) : "",
    h("details", { ontoggle: (event) => { if (event.target.open && event.target.children.length < 2) event.target.append(dataTable(["metric", "value, 95 % interval, n", "difference"], model.metrics.map((scale, metric) => [scale.name, model.text(metric, row), (() => { const gap = model.difference(metric, row, state.baseline); return gap ? `${gap.mark} ${gapText(scale, gap).slice(0, gap.how === "exact" ? 1 : 2).join(" ")}` : "–"; })()]), { label: "all metrics" })); } }, h("summary", {}, `All ${model.metrics.length} metrics`)));
}

function drawFailures(body) {
  const { failures } = page.data;
  body.replaceChildren(...(failures.length ? failures.map((one) => h("details", { class: "failure" }, h("summary", {}, h("b", {}, `${one.count} ×`), " ", h("span", { class: "status" }, one.status), " ", (one.message || "no reason recorded").slice(0, 200)),
    one.message.length > 200 && h("pre", { tabindex: 0 }, one.message), one.where && h("p", { class: "mono small" }, one.where), h("p", { class: "small" }, one.runs.join(", "), one.count > one.runs.length ? ` and ${one.count - one.runs.length} more` : ""))) : [h("p", { class: "small" }, "Every run has results.")]));
}

function drawProvenance(body) {
  const { provenance, problems } = page.data;
  body.replaceChildren(...(problems.length ? [h("h3", {}, "Problems in the records"), h("p", { class: "small" }, "What cannot be read, or makes no sense, is left out of tables and comparisons."), h("ul", {}, problems.map(([text, runs, count]) => h("li", {}, h("code", {}, text), " ", h("small", {}, runs.join(", "), count > runs.length ? ` and ${count - runs.length} more` : ""))))] : []),
    h("dl", {}, provenance.map(([name, values, count]) => [h("dt", {}, name), h("dd", {}, values.map((value, place) => [place ? h("br") : "", value]), count > values.length ? [h("br"), `and ${count - values.length} more`] : "")])));
}
