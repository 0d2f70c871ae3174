// The live page: what runs now above the report, and the report's data again, part by part, as records change.
const names = new URLSearchParams(location.search).getAll("s"), query = names.map((name) => `s=${encodeURIComponent(name)}`).join("&");
const one = (name) => `s=${encodeURIComponent(name)}`;
const sweeps = new Map(names.map((name) => [name, { live: null, points: Object.create(null), box: null, cards: new Map() }]));
let digests = {}, asking = false, again = false, curveName = "", drawing = false;
const MOST_POINTS = 900, LONG_LABEL = 90;
const empty = () => Object.create(null); // by names of runs and metrics, which may be "constructor" or "__proto__"

// Which parts of the page show which parts of the data; what has not changed is not drawn again.
const TABLE = ["rows", "settings", "metrics", "columns", "axes", "reference", "fronts", "pairs"];
const NEEDS = { table: TABLE, explorer: TABLE, compare: TABLE, steps: ["links", "rows", "metrics"], effects: ["effects", "rows", "metrics"], segments: ["segments"],
  samples: ["samples"], training: ["training"], cost: ["cost", "made"], lineage: ["lineage", "metrics"], failures: ["failures"], provenance: ["provenance", "problems"] };

function receive(news) {
  const sweep = sweeps.get(news.sweep);
  if (!sweep) return;
  sweep.live = news.all ? news.live : { ...sweep.live, ...news.live };
  if (news.all) sweep.points = empty();
  for (const [run, [label, points]] of Object.entries(news.points || {})) {
    const kept = sweep.points[run]?.label === label ? sweep.points[run] : (sweep.points[run] = { label, metrics: empty() });
    for (const [metric, more] of Object.entries(points)) kept.metrics[metric] = thinned([...(kept.metrics[metric] || []), ...more]);
  }
  if (news.all || "version" in (news.live || {})) askForData();
  if (!drawing) { drawing = true; requestAnimationFrame(() => { drawing = false; drawLive(); }); }
}

const thinned = (points) => (points.length > MOST_POINTS ? points.filter((_, place) => place % 2 === 0 || place === points.length - 1) : points);

// One question at a time; the server answers when it has time, and gives only what differs.
async function askForData() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch(`data?${query}&have=${encodeURIComponent(JSON.stringify(digests))}`);
    if (!answer.ok) throw new Error((await answer.text()).slice(0, 400));
    const found = await answer.json();
    digests = found.digests;
    take(found.parts);
    again ||= found.pending;
  } catch (error) {
    say(`The records could not be read: ${error.message}`);
  }
  asking = false;
  if (again) { again = false; askForData(); }
}

// Without a single result there is nothing to decide: the report's first screen waits.
const wait = () => { const none = !page.data.metrics.length; document.querySelector("main").classList.toggle("waiting", none); if (none) document.getElementById("sentence").textContent = "No run has results yet."; };

function say(text) {
  let note = document.getElementById("live-note");
  if (!note) { note = h("p", { class: "note", id: "live-note", role: "status" }); document.getElementById("live").after(note); }
  note.textContent = text;
  note.hidden = !text;
}

function take(parts) {
  if (!Object.keys(parts).length) return;
  const problem = parts.problem ?? page.data?.problem ?? "";
  say(problem);
  if (problem && !("rows" in parts) && !page.data?.rows) return;
  const data = { ...page.data, ...parts };
  page.legend = data.legend;
  if (!page.state) { start(data); page.legend = data.legend; drawPlugins(); document.querySelector("main").classList.remove("empty"); wait(); return; }
  keepChoices(page.data, data);
  page.data = data; page.model = new Model(data); page.state.sane();
  keepFocus(() => redraw(new Set(Object.keys(parts))));
}

// Rows and metrics are named by their place; places move when runs and metrics come in between.
function keepChoices(before, now) {
  const moved = (old, next) => { const place = new Map(next.map((name, index) => [name, index])); return (value) => (Number.isInteger(value) ? place.get(old[value]) ?? null : value); };
  const row = moved(before.ids, now.ids), metric = moved(before.metrics.map((m) => m.name), now.metrics.map((m) => m.name)), { state } = page;
  for (const name of ["selected", "baseline"]) state[name] = row(state[name]);
  for (const name of ["x", "y", "z", "frontX", "effect"]) state[name] = metric(state[name]);
  state.pinned = state.pinned.map(row).filter(Number.isInteger);
  state.columns = state.columns && state.columns.map(metric).filter(Number.isInteger);
  state.limits = Object.fromEntries(Object.entries(state.limits).map(([key, value]) => [metric(Number(key)), value]).filter(([key]) => key !== null));
  state.sort = state.sort.replace(/m:(\d+)$/, (_, place) => `m:${metric(Number(place)) ?? ""}`);
}

function redraw(keys) {
  const has = (wanted) => wanted.some((key) => keys.has(key));
  if (has(["rows"])) drawSelection();
  if (has(["sentence", "cards", "matrix", "notes", "rows"])) drawDecision();
  if (has(TABLE)) drawFront();
  if (has(["sections"])) drawPlugins();
  wait();
  for (const entry of PARTS) {
    const [part] = entry;
    if (!page.drawn.has(part) || !has(NEEDS[part])) continue;
    const body = document.querySelector(`#${part} > .body`), opened = [...body.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent);
    const focused = body.contains(document.activeElement);
    drawPart(entry);
    if (part === "table" && !focused) { tableTools(); drawPart(entry); }
    if (part === "explorer" && !focused) { body.replaceChildren(); drawPart(entry); }
    for (const summary of body.querySelectorAll("details > summary")) if (opened.includes(summary.textContent)) summary.parentElement.open = true;
  }
}

// The sections of plugins are HTML, trusted like the plugins; the content security policy lets no script of theirs run.
function drawPlugins() {
  document.getElementById("plugins").replaceChildren(...(page.data.sections || []).map((html) => { const made = h("section", { class: "part plugin" }); made.innerHTML = html; return made; }));
  drawNavigation();
}

// ---- what runs now

function drawLive() {
  const holder = document.getElementById("live"), all = [...sweeps.entries()].filter(([, sweep]) => sweep.live);
  const curves = [...new Set(all.flatMap(([, sweep]) => Object.values(sweep.points).flatMap((kept) => Object.keys(kept.metrics))))];
  for (const [name, sweep] of all) {
    if (!sweep.box) { sweep.box = { head: h("div", { class: "live-head" }), cards: h("div", { class: "live-cards" }), more: h("div", { class: "live-more" }) }; holder.append(h("article", { class: "live-sweep" }, Object.values(sweep.box))); }
    drawHead(name, sweep, curves);
    drawCards(sweep, curves);
    drawMore(name, sweep);
  }
}

function drawHead(name, sweep, curves) {
  const { live } = sweep, held = sweep.box.head.contains(document.activeElement) && document.activeElement.tagName === "SELECT";
  if (held) return; // a menu that is open is not taken away
  const menuOf = curves.length > 1 && live.running.length ? menu("curve", curves.map((each) => [each, each]), curves.includes(curveName) ? curveName : curves[0], (value) => { curveName = value; drawLive(); }) : "";
  const now = live.gone ? [h("strong", {}, "The folder of this sweep was deleted.")] : [countsBar(live.counts), h("span", { class: "how-far" }, countsText(live.counts)), h("span", { class: "rest" }, restText(live))];
  const focus = document.activeElement?.dataset?.act;
  sweep.box.head.replaceChildren(h("span", { class: `dot ${live.gone ? "stopped" : stateOf(live)}` }), names.length > 1 ? h("strong", { class: "who" }, name) : "", ...now, h("span", { class: "right" }, menuOf, buttons(name, sweep), name === names[0] ? connection : ""));
  if (focus) sweep.box.head.querySelector(`[data-act="${focus}"]`)?.focus();
}

function buttons(name, sweep) {
  const { live } = sweep, failed = countOf(live.counts, "failed"), left = leftOf(live.counts) + countOf(live.counts, "interrupted") + countOf(live.counts, "stopped");
  if (live.gone) return "";
  const can = live.alive ? live.here : failed + left > 0;
  if (!can || (!live.alive && live.started?.starting)) return "";
  if (!trusted) return h("span", { class: "small", title: "Open the address with the token that `ptx ui` printed in its terminal." }, "buttons need the token");
  if (live.alive) return button("Interrupt", () => ask(`Interrupt ${name}?`, ["This is Ctrl-C for ", h("b", {}, live.owner), ". Runs that are under way are recorded as interrupted. Finished steps stay in the store, and the same command continues."], "Interrupt", () => act("interrupt", name, sweep)), { class: "quiet danger", "data-act": "interrupt" });
  const word = failed ? (left ? "Continue and retry" : `Retry ${plural(failed, "failed run")}`) : "Continue";
  return button(word, () => ask(`${word}: ${name}`, ["This command runs again, in a process of its own; what the store holds is not run twice:", h("pre", { tabindex: 0 }, h("code", {}, live.command))], word, () => act("retry", name, sweep)), { class: "quiet strong", "data-act": "retry" });
}

function ask(title, text, word, press) {
  const box = h("dialog", { class: "ask", "aria-label": title }, h("h2", {}, title), h("div", {}, text), h("p", { class: "choices-row" }, button("Not now", () => box.close(), { class: "quiet" }), button(word, () => { box.close(); press(); }, { class: "quiet strong" })));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}

async function act(what, name, sweep) {
  sweep.said = "…";
  drawLive();
  try {
    const answer = await fetch(`${what}?${one(name)}`, { method: "POST", headers: { "X-Ptx-Button": what } });
    const text = await answer.text();
    try { sweep.said = JSON.parse(text).said; } catch { sweep.said = text.slice(0, 400); }
  } catch (error) { sweep.said = `The page could not reach ptx ui: ${error.message}`; }
  drawLive();
}

function drawCards(sweep, curves) {
  const now = new Map(sweep.live.running.map((run) => [run.run, run]));
  for (const [run, card] of sweep.cards) if (!now.has(run)) { const plot = card.querySelector(".mini"); window.echarts?.getInstanceByDom(plot)?.dispose(); card.remove(); sweep.cards.delete(run); }
  for (const [run, state] of now) {
    let card = sweep.cards.get(run);
    if (!card) { card = h("section", { class: "run-card", "aria-label": "a run" }, h("div", { class: "run-now" }), h("figure", { class: "run-curve" }, h("figcaption", { class: "small" }), h("div", { class: "mini" }))); sweep.cards.set(run, card); sweep.box.cards.append(card); }
    card.querySelector(".run-now").replaceChildren(...runNow(state));
    drawMini(card.querySelector(".mini"), state, sweep.points[run], curves);
  }
  const more = (sweep.live.counts.running || 0) - now.size;
  sweep.box.cards.dataset.more = more > 0 ? `and ${plural(more, "run")} more` : "";
}

const short = (text, most = LONG_LABEL) => (text.length > most ? `${text.slice(0, most)}…` : text);

function runNow(state) {
  const share = state.of > 0 ? Math.min(1, Math.max(0, state.at / state.of)) : null;
  const fill = h("i", { class: "running" }), bar = h("span", { class: "bar-of-runs thin", role: "progressbar", "aria-label": "this step", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": share === null ? null : Math.round(share * 100) }, fill);
  fill.style.width = `${100 * (share ?? 0)}%`;
  const parts = state.parts.map(([name, done]) => h("li", { class: done ? "over" : name === state.step ? "now" : "" }, h("span", { class: "away" }, done ? "done: " : name === state.step ? "now: " : "to come: "), short(name, 40)));
  const said = [state.what, share === null ? "" : `${state.at.toLocaleString("en")} of ${state.of.toLocaleString("en")}`, Number.isFinite(state.since) ? h("span", { class: "since", "data-since": state.since }, duration(Math.max(0, Date.now() / 1000 - state.since))) : "", state.left > 0 ? `${duration(state.left)} left` : ""].filter(Boolean);
  return [h("h3", { title: state.label }, short(state.label)), h("ol", { class: "chain" }, parts), bar,
    h("p", { class: "small numbers" }, said.map((text, place) => [place ? " · " : "", text])),
    h("p", { class: "small numbers" }, state.metrics.map(([name, value]) => h("span", { class: "nowrap" }, `${short(name, 40)} `, h("b", {}, figure(value)))))];
}

const figure = (value) => (Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(2) : Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 6 }));

function drawMini(holder, state, kept, curves) {
  const of = kept?.metrics || empty(), name = curveName in of ? curveName : Object.keys(of)[0], points = of[name] || [];
  holder.parentElement.hidden = points.length < 2;
  if (points.length < 2) return;
  holder.previousElementSibling.textContent = name;
  const label = { color: ink("muted"), fontSize: 11, hideOverlap: true }, tone = ink("accent");
  const axisOf = (more) => ({ type: "value", scale: true, axisLabel: label, splitNumber: 2, splitLine: { lineStyle: { color: ink("grid") } }, axisLine: { lineStyle: { color: ink("line") } }, axisTick: { show: false }, ...more });
  chart(holder, `${name} of ${state.label}`, () => ({ grid: { left: 8, right: 14, top: 8, bottom: 4, containLabel: true },
    tooltip: tooltip({ trigger: "axis", formatter: (events) => h("div", {}, `step ${events[0]?.value[0]}: ${figure(events[0]?.value[1])}`) }),
    xAxis: axisOf({ splitLine: { show: false }, min: "dataMin", max: "dataMax" }), yAxis: axisOf({}),
    series: [{ type: "line", showSymbol: points.length < 3, data: points, lineStyle: { color: tone, width: 2 }, itemStyle: { color: tone } }] }), () => {});
}

function drawMore(name, sweep) {
  const { live } = sweep, made = [];
  if (sweep.said) made.push(h("p", { class: "said-now", role: "status" }, sweep.said));
  if (live.started?.code) made.push(h("details", { class: "failure" }, h("summary", {}, `The command that was run again ended with exit code ${live.started.code}`), h("pre", { tabindex: 0 }, live.started.log)));
  if (sweep.failedText !== JSON.stringify(live.failed)) { sweep.failedText = JSON.stringify(live.failed); sweep.failed = failures(name, live); }
  if (sweep.failed) made.push(sweep.failed);
  sweep.log ||= h("details", { class: "log" }, h("summary", {}, "What happened last"), h("ol", {}));
  sweep.log.hidden = !live.said.length;
  const clock = (at) => new Date(at * 1000).toLocaleTimeString("en-GB");
  sweep.log.querySelector("ol").replaceChildren(...[...live.said].reverse().map(([at, run, text]) => h("li", {}, h("time", {}, clock(at)), " ", h("b", {}, short(run, 60)), " ", text)));
  made.push(sweep.log);
  const box = sweep.box.more;
  if (box.children.length !== made.length || made.some((each, place) => box.children[place] !== each)) box.replaceChildren(...made);
}

function failures(name, live) {
  const count = ["failed", "stopped", "unreadable"].reduce((sum, kind) => sum + countOf(live.counts, kind), 0);
  if (!count) return null;
  const lines = live.failed.map(([run, label, reason]) => h("details", { class: "failure", ontoggle: (event) => event.target.open && traceback(name, run, event.target) }, h("summary", {}, h("b", {}, short(label)), " ", short(reason, 200))));
  return h("details", { class: "failures", open: count <= 3 }, h("summary", {}, h("span", { class: "status" }, `${plural(count, "run")} failed`)), lines, count > lines.length ? h("p", { class: "small" }, `and ${plural(count - lines.length, "run")} more; the part Failures groups them by cause`) : "");
}

async function traceback(name, run, box) {
  if (box.children.length > 1) return;
  const into = h("div", {}, h("p", { class: "small" }, "…"));
  box.append(into);
  try {
    const found = await (await fetch(`failure?${one(name)}&run=${encodeURIComponent(run)}`)).json();
    const text = found.traceback || found.problems.join("\n") || "No traceback was recorded.";
    into.replaceChildren(h("p", {}, h("b", {}, found.type), found.type ? ": " : "", found.message), h("pre", { tabindex: 0 }, text), copyButton("traceback", text), h("p", { class: "mono small" }, found.folder));
  } catch (error) { into.replaceChildren(h("p", { class: "small" }, `It cannot be read: ${error.message}`)); }
}

document.querySelector("main").classList.add("empty");
document.getElementById("sentence").textContent = "Reading the records…";
setInterval(() => { if (!document.hidden) for (const [name, sweep] of sweeps) if (sweep.live) { drawHead(name, sweep, [...new Set(Object.values(sweep.points).flatMap((kept) => Object.keys(kept.metrics)))]); for (const each of document.querySelectorAll(".since")) each.textContent = duration(Math.max(0, Date.now() / 1000 - Number(each.dataset.since))); } }, 1000);
follow(`events?${query}`, receive, showConnection);
