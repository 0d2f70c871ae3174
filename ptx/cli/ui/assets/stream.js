// The stream of what changes. A hidden page closes it: a browser allows six to one server, and tabs are many.
function follow(address, tell, state) {
  let source = null, waiting = null;
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(address);
    source.onopen = () => state("live");
    source.onmessage = (event) => { state("live"); tell(JSON.parse(event.data)); };
    source.onerror = () => { // a server that was killed comes back, perhaps with another token
      state("lost");
      if (source.readyState === EventSource.CLOSED) { close(); clearTimeout(waiting); waiting = setTimeout(open, 2000); }
    };
  };
  const close = () => { source?.close(); source = null; };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}

const connection = h("span", { class: "link-state", role: "status" });
function showConnection(state) {
  if (connection.dataset.state === state) return;
  connection.dataset.state = state;
  connection.textContent = state === "live" ? "live" : "no connection; trying again";
}

const COUNTED = [["done", "done"], ["running", "running"], ["failed", "failed"], ["stopped", "stopped"], ["unreadable", "unreadable"], ["interrupted", "interrupted"]];
const countOf = (counts, name) => counts[name] || 0;
const leftOf = (counts) => counts.runs - COUNTED.reduce((sum, [name]) => sum + countOf(counts, name), 0);

function countsText(counts) {
  const more = COUNTED.slice(1).filter(([name]) => countOf(counts, name)).map(([name, word]) => `${counts[name].toLocaleString("en")} ${word}`);
  const left = leftOf(counts);
  return [`${countOf(counts, "done").toLocaleString("en")} of ${plural(counts.runs, "run")} done`, ...more, left > 0 && `${left.toLocaleString("en")} left`].filter(Boolean).join(" · ");
}

// One bar for all runs: done, running, failed; what is left is the ground.
function countsBar(counts) {
  const part = (kind, value) => { const made = h("i", { class: kind }); made.style.width = `${(100 * value) / Math.max(1, counts.runs)}%`; return value > 0 ? made : ""; };
  const failed = ["failed", "stopped", "unreadable"].reduce((sum, name) => sum + countOf(counts, name), 0);
  return h("span", { class: "bar-of-runs", role: "img", "aria-label": countsText(counts) }, part("done", countOf(counts, "done")), part("running", countOf(counts, "running")), part("failed", failed));
}

function restText(one) {
  if (!one.alive && one.started?.starting) return "the command is starting…";
  if (!one.alive) return leftOf(one.counts) + countOf(one.counts, "interrupted") > 0 ? "nobody runs it now" : countOf(one.counts, "done") < one.counts.runs ? "ended with failures" : "finished";
  if (one.rest.ends) return `about ${duration(Math.max(1, Math.round(one.rest.ends - Date.now() / 1000)))} left`;
  if (one.rest.unknown?.length) return `time left: known after the first ${one.rest.unknown.slice(0, 3).join(", ")}`;
  return "running";
}

const stateOf = (one) => (one.alive ? "running" : countOf(one.counts, "done") === one.counts.runs ? "done" : "stopped");
const trusted = document.body.dataset.trusted === "yes";
function since(text) {
  const at = Date.parse(text), seconds = (Date.now() - at) / 1000;
  if (!Number.isFinite(at)) return "";
  return seconds < 86400 ? `${duration(Math.max(0, seconds))} ago` : new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}
