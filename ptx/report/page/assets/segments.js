// Segments: one table per dimension, shaded by the difference from the reference.
function drawSegments(body) {
  const { data, state } = page;
  if (!data.segments.length) { body.replaceChildren(h("p", { class: "small" }, "No metric was recorded by segment.")); return; }
  body.replaceChildren(h("p", { class: "small" }, `Shade: difference from ${data.reference}, relative to the largest of the table. ▲ and ▼ mark differences beyond noise, Holm-corrected over all segments.`),
    ...data.segments.map((one, place) => { const made = h("details", { open: place === 0, ontoggle: () => { if (made.open && made.children.length < 2) made.append(segmentTable(one)); } }, h("summary", {}, `By ${one.title}`)); if (place === 0) made.append(segmentTable(one)); return made; }));
  for (const line of body.querySelectorAll("tr[data-row]")) line.classList.toggle("chosen", Number(line.dataset.row) === state.selected);
}

function segmentTable(one) {
  const { model } = page;
  return h("div", { class: "scroll big", tabindex: 0, role: "region", "aria-label": `by ${one.title}` }, h("table", { class: "heat" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "name" }, "run"), one.columns.map(([group, title, unit, items, short]) => h("th", { scope: "col", class: "num", title: short }, h("small", {}, group), title, unit && h("span", { class: "unit" }, ` ${unit}`), h("small", {}, items))))),
    h("tbody", {}, one.lines.map(([row, cells]) => h("tr", { "data-row": row }, h("th", { scope: "row", class: "name" }, rowLink(row)),
      cells.map(([value, ends, mark, heat, note]) => h("td", { class: `num${heat ? ` h${heat}` : ""}`, title: note }, value, h("span", { class: `mark ${verdict(mark)}` }, mark), h("small", {}, ends))))))));
}
