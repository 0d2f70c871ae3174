// Answers side by side, with the words that differ marked.
const FILTERS = [["flipped", "flipped"], ["regressed", "regressed"], ["gained", "gained"], ["unsafe", "unsafe"], ["unscored", "unparsable or unscored"], ["all", "all"]];

function drawSamples(body) {
  const { data, state, model } = page;
  if (!data.samples.length) { body.replaceChildren(h("p", { class: "small" }, "No evaluator has recorded answers.")); return; }
  const one = data.samples.find((each) => each.evaluator === state.evaluator) || data.samples[0], known = new Set(one.items.flatMap((item) => Object.keys(item.answers).map(Number)));
  const rows = compared().filter((row) => known.has(row)), shown = rows.length > 1 ? rows : [...known].slice(0, 2);
  const fits = one.items.filter((item) => sampleFits(item, shown, one, state.samples)), open = body.querySelectorAll("details[open]").length;
  body.replaceChildren(h("div", { class: "tools" }, data.samples.length > 1 ? menu("evaluator", data.samples.map((each) => [each.evaluator, each.evaluator]), one.evaluator, (value) => state.set({ evaluator: value })) : "",
    menu("answers", FILTERS, state.samples, (value) => state.set({ samples: value })), h("span", { class: "small" }, `${fits.length} of ${one.items.length} kept items${one.of > one.items.length ? `, of ${one.of.toLocaleString("en")} measured` : ""}; ${shown.map((row) => model.label(row)).join(" against ")}`)),
    fits.length ? h("div", {}, fits.slice(0, 60).map((item, place) => sample(item, shown, one, place < Math.max(open, 1)))) : h("p", { class: "small" }, "No kept item fits. The models answered alike, or the filter asks for something rare."));
}

const good = (answer, one) => (answer && answer[0] !== null ? (one.lower ? 1 - answer[0] : answer[0]) : null);

function sampleFits(item, rows, one, filter) {
  const answers = rows.map((row) => item.answers[row]).filter(Boolean), scores = answers.map((answer) => good(answer, one)), [first, ...others] = scores;
  if (filter === "all") return true;
  if (filter === "unscored") return answers.some((answer) => answer[1]);
  if (filter === "unsafe") return one.evaluator === "safety" && answers.some((answer) => good(answer, one) === 0);
  return others.some((score) => score !== null && first !== null && (filter === "regressed" ? score < first : filter === "gained" ? score > first : score !== first));
}

function sample(item, rows, one, open) {
  const prompt = item.shared.find(([key]) => key === "prompt")?.[1] ?? item.item, made = h("details", { class: "sample", open, ontoggle: () => { if (made.open && made.children.length < 2) made.append(sampleBody(item, rows, one)); } },
    h("summary", {}, rows.map((row) => { const score = good(item.answers[row], one); return h("span", { class: `verdict ${score === null ? "" : score >= 0.5 ? "better" : "worse"}` }, score === null ? "?" : score === 1 ? "✓" : score === 0 ? "✗" : score.toFixed(2)); }), " ", h("span", {}, withoutMarkers(prompt).slice(0, 140))));
  if (open) made.append(sampleBody(item, rows, one));
  return made;
}

// A prompt on one line, without the markers of a chat template, from the last turn of the user on; the opened sample
// has it whole.
const MARKERS = /<\|[^|<>]{1,40}\|>|<\/?s>|\[\/?INST\]/g;
function withoutMarkers(prompt) {
  const line = (text) => text.replace(MARKERS, " ").replace(/\s+/g, " ").trim();
  const turn = prompt.split(/<\|im_start\|>user\b|<\|start_header_id\|>user<\|end_header_id\|>|<\|user\|>|<start_of_turn>user\b|\[INST\]/).pop();
  return line(turn.replace(/<\|im_start\|>assistant\s*$|<\|start_header_id\|>assistant<\|end_header_id\|>\s*$|<\|assistant\|>\s*$/, "")) || line(prompt) || prompt;
}

function sampleBody(item, rows, one) {
  const first = item.answers[rows[0]]?.[2] ?? "";
  return h("div", {}, h("dl", {}, item.shared.map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)])), h("div", { class: "answers" }, rows.map((row, place) => {
    const answer = item.answers[row];
    return h("div", { class: "answer" }, h("h3", {}, page.model.label(row), answer?.[1] && h("span", { class: "status" }, answer[1])), h("p", { class: "said" }, answer ? (place ? wordDifference(first, answer[2]) : answer[2]) : "no answer recorded"));
  })));
}

// The second text with its own words marked, and the words that only the first one has struck out. Few equal words
// between two changes are taken into them: else two texts that share their small words are a mosaic.
const FEW = 3;
function wordDifference(before, after) {
  const parts = (text) => (text.match(/\S+\s*|^\s+/g) || []).slice(0, 400), a = parts(before), b = parts(after), same = (i, j) => a[i].trim() === b[j].trim();
  const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1)), runs = [];
  for (let i = a.length - 1; i >= 0; i -= 1) for (let j = b.length - 1; j >= 0; j -= 1) table[i][j] = same(i, j) ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
  const last = (equal) => { if (!runs.length || runs[runs.length - 1].equal !== equal) runs.push({ equal, was: [], is: [] }); return runs[runs.length - 1]; };
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && same(i, j)) { const run = last(true); run.was.push(a[i++]); run.is.push(b[j++]); }
    else if (i < a.length && (j >= b.length || table[i + 1][j] >= table[i][j + 1])) last(false).was.push(a[i++]);
    else last(false).is.push(b[j++]);
  }
  const kept = [];
  runs.forEach((run, place) => {
    const few = run.equal && run.was.length < FEW && place > 0 && place < runs.length - 1, before = kept[kept.length - 1];
    if (before && !before.equal && (few || !run.equal)) { before.was.push(...run.was); before.is.push(...run.is); } else kept.push(run);
  });
  return kept.flatMap((run) => (run.equal ? [run.is.join("")] : [run.was.length ? h("del", {}, run.was.join("").trimEnd()) : "", run.is.length ? h("ins", {}, run.is.join("").trimEnd()) : "", gapAfter(run)]));
}

// The white space behind a change: that of the text that is shown.
const gapAfter = (run) => ((run.is.length ? run.is : run.was).join("").match(/\s*$/) || [" "])[0] || " ";
