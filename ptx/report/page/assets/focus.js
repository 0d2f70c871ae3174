// Where the keyboard is. A choice draws parts anew, and with them the button that was pressed: the focus goes to the
// one that has come in its place, or a reader without a mouse would begin at the top of the page every time.
const FOCUSABLE = "a[href], button:not(:disabled), summary, select, input:not(:disabled), [tabindex='0']";
const focusName = (one) => `${one.tagName} ${one.getAttribute("aria-label") || one.textContent.trim()}`;
let outside = []; // the places of what had the focus last, beside the bar of the selected run, which comes and goes

// The places of an element, from the nearest part of the page to the widest: which one of its name, and which of all.
function placesOf(one) {
  const found = [];
  for (let home = one.closest("[id]"); home; home = home.parentElement?.closest("[id]")) {
    const all = [...home.querySelectorAll(FOCUSABLE)], name = focusName(one);
    found.push({ id: home.id, name, nth: all.filter((other) => focusName(other) === name).indexOf(one), index: all.indexOf(one) });
  }
  return found.filter((place) => place.index >= 0);
}

function elementAt(places, loose) {
  for (const { id, name, nth, index } of places) {
    const home = document.getElementById(id), all = home && !home.hidden ? [...home.querySelectorAll(FOCUSABLE)] : [];
    const same = all.filter((other) => focusName(other) === name), one = same[nth] ?? same[0] ?? (loose ? all[Math.min(index, all.length - 1)] : null);
    if (one) return one;
  }
  return null;
}

function keepFocus(draw) {
  const one = document.activeElement, places = one && one !== document.body ? placesOf(one) : [];
  if (places.length && !one.closest("#selection")) outside = places;
  draw();
  if (!places.length || one.isConnected) return;
  const next = elementAt(places) ?? elementAt(places.slice(0, 1), true) ?? elementAt(outside) ?? elementAt(outside, true);
  next?.focus({ preventScroll: true });
}

// Escape closes what is open, then lets go of the selected run; a press beside a list of columns closes it too.
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  const open = document.querySelector(".chooser[open]");
  if (open) { open.open = false; open.querySelector("summary").focus(); }
  else if (page.state?.selected !== null && !/^(INPUT|SELECT)$/.test(document.activeElement?.tagName)) page.state?.set({ selected: null });
});
addEventListener("pointerdown", (event) => { for (const open of document.querySelectorAll(".chooser[open]")) if (!open.contains(event.target)) open.open = false; });
