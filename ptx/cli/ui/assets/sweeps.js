// The list of sweeps: searched, sorted by time, and chosen for a comparison.
const all = new Map(), chosen = new Set(), lines = new Map();
const list = document.getElementById("sweeps"), search = document.getElementById("search"), compare = document.getElementById("compare"), said = document.getElementById("count");
const MOST_SHOWN = 300;
let more = MOST_SHOWN, heard = false;

function receive(news) {
  if (news.all) { all.clear(); heard = true; }
  for (const [name, sweep] of Object.entries(news.sweeps)) if (sweep) all.set(name, sweep); else { all.delete(name); chosen.delete(name); }
  draw();
}

const address = (names) => `sweep?${names.map((name) => `s=${encodeURIComponent(name)}`).join("&")}`;
const words = () => search.value.toLowerCase().split(/\s+/).filter(Boolean);
const fits = (one) => { const text = `${one.name} ${one.command} ${one.models.join(" ")} ${stateOf(one)}`.toLowerCase(); return words().every((word) => text.includes(word)); };
const order = (a, b) => Number(b.alive) - Number(a.alive) || (Date.parse(b.created) || 0) - (Date.parse(a.created) || 0) || a.name.localeCompare(b.name);

function draw() {
  const found = [...all.values()].filter(fits).sort(order), shown = found.slice(0, more);
  said.textContent = !heard ? "Looking for sweeps…" : found.length === all.size ? plural(all.size, "sweep") : `${found.length} of ${plural(all.size, "sweep")}`;
  const cards = shown.map((one) => {
    const text = JSON.stringify([one, chosen.has(one.name)]), before = lines.get(one.name);
    if (before?.text === text) return before.card;
    const card = line(one);
    lines.set(one.name, { text, card });
    return card;
  });
  if (cards.length !== list.children.length || cards.some((card, place) => list.children[place] !== card)) {
    const focus = document.activeElement?.dataset?.name;
    list.replaceChildren(...cards);
    if (focus) [...list.querySelectorAll("input")].find((box) => box.dataset.name === focus)?.focus();
  }
  document.getElementById("more").hidden = found.length <= more;
  document.getElementById("nothing").hidden = !heard || found.length > 0;
  const names = [...chosen].filter((name) => all.has(name));
  document.getElementById("hint").hidden = all.size < 2;
  compare.hidden = names.length < 2;
  compare.href = address(names);
  compare.textContent = `Compare ${names.length} sweeps`;
}

function line(one) {
  const pick = h("input", { type: "checkbox", checked: chosen.has(one.name), "data-name": one.name, "aria-label": `compare ${one.name}`, onchange: () => { chosen[pick.checked ? "add" : "delete"](one.name); draw(); } });
  const now = one.now.map(([label, step, what, at, of]) => h("li", {}, h("b", {}, label.slice(0, 90)), [step, what].filter(Boolean).map((text) => ` ${text.slice(0, 60)}`), of > 0 ? ` ${at.toLocaleString("en")} of ${of.toLocaleString("en")}` : ""));
  return h("li", { class: "sweep-line" }, h("label", { class: "pick" }, pick), h("div", { class: "what" },
    h("p", { class: "sweep-name" }, h("span", { class: `dot ${stateOf(one)}` }), h("a", { href: address([one.name]) }, one.name), h("small", {}, one.models.join(", "))),
    one.command && h("p", { class: "mono small clamp", title: one.command }, one.command), now.length > 0 && h("ul", { class: "plain" }, now)),
    h("div", { class: "far" }, countsBar(one.counts), h("p", { class: "small" }, countsText(one.counts)), h("p", { class: "small" }, [restText(one), since(one.created) && `planned ${since(one.created)}`].filter(Boolean).join(" · "))));
}

search.addEventListener("input", () => { history.replaceState(null, "", search.value ? `#${encodeURIComponent(search.value)}` : location.pathname); draw(); });
try { search.value = decodeURIComponent(location.hash.slice(1)); } catch { /* a link that somebody has typed */ }
document.getElementById("more").addEventListener("click", () => { more += MOST_SHOWN; draw(); });
document.getElementById("state").append(connection);
setInterval(() => { if (!document.hidden) { for (const one of all.values()) if (one.alive) lines.delete(one.name); draw(); } }, 5000);
draw();
follow("events", receive, showConnection);
document.documentElement.dataset.ready = "yes";
