// Elements from plain values. Text only ever becomes text nodes, so no record can bring markup into the page.
const SVG = "http://www.w3.org/2000/svg";

function h(name, given = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else if (["value", "checked", "selected", "disabled", "open", "hidden"].includes(key)) made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

function svg(name, given, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const sentence = (spans) => spans.map(([text, strong]) => (strong ? h("strong", {}, text) : text));
const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

function menu(label, options, value, change) {
  const made = h("select", { onchange: () => change(made.value), "aria-label": label },
    options.map(([key, text]) => h("option", { value: key, selected: String(key) === String(value) }, text)));
  return h("label", { class: "menu" }, h("span", {}, label), made);
}

function button(text, press, more = {}) {
  return h("button", { type: "button", onclick: press, ...more }, text);
}

function copyButton(what, text) {
  const made = button(`Copy ${what}`, async () => {
    const whole = typeof text === "function" ? text() : text;
    let copied = true;
    try { await navigator.clipboard.writeText(whole); } catch {
      // a page that was opened as a file may not use the clipboard interface
      const area = h("textarea", { class: "away", "aria-hidden": true }, whole);
      document.body.append(area); area.select(); copied = document.execCommand("copy"); area.remove();
    }
    made.textContent = copied ? "Copied" : "Cannot copy";
    setTimeout(() => { made.textContent = `Copy ${what}`; }, 1500);
  }, { class: "quiet" });
  return made;
}

function dataTable(heads, lines, options = {}) {
  const body = h("tbody", {}, lines.map((line) => h("tr", { class: line.class },
    (line.cells || line).map((cell, place) => (cell instanceof Node && /^T[DH]$/.test(cell.nodeName)) ? cell
      : place === 0 ? h("th", { scope: "row" }, cell) : h("td", { class: options.text?.includes(place) ? "" : "num" }, cell)))));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": options.label || "table" },
    h("table", { class: options.class },
      options.caption && h("caption", {}, options.caption),
      h("thead", {}, h("tr", {}, heads.map((head, place) => h("th", { scope: "col", class: place && !options.text?.includes(place) ? "num" : "" }, head)))),
      body));
}
