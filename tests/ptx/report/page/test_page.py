"""The page in a real browser: what a reader does, and what the page must never do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ptx.files import write_rows
from ptx.records import Metric
from ptx.report import build
from ptx.report.definition import Definition
from tests.ptx.report.browser import CHROMIUM, Browser
from tests.ptx.report.hostile import EVERY_OBJECT, STRINGS, write_hostile
from tests.ptx.report.pages import data_of
from tests.ptx.report.situations import SITUATIONS
from tests.ptx.report.sweeps import Sweep

COLOURS = ["paper", "raised", "ink", "muted", "accent", "good", "bad", "warn", "warn-ink", "chosen"]
COLOURS += [f"{kind}-{level}" for kind in ("good", "bad") for level in (1, 2, 3)]
PARTS = ("table", "explorer", "compare", "steps", "effects", "segments", "samples", "cost", "lineage")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@pytest.fixture
def page(browser, demo_report):
    made = browser.open(demo_report.html)
    yield made
    assert made.errors() == []
    assert made.requests() == []
    made.close()


def names(page):
    return page.texts("#table tbody .row-link")


def test_the_decision_stands_above_the_fold(page, demo_report):
    assert page.texts("#sentence")[0].startswith("Ship sft · gptq: 4.0")
    assert len(page.texts(".card")) == 3
    for part in ("#sentence", "#cards", "#matrix", "#front .plot"):
        bottom = page.run(f"document.querySelector('{part}').getBoundingClientRect().bottom")
        assert bottom <= 900, part


@pytest.mark.parametrize("name", SITUATIONS)
def test_which_model_ships_and_how_sure_that_is_stands_above_the_fold(browser, tmp_path, name):
    write, sentence, sure = SITUATIONS[name]
    write(tmp_path / "sweep")
    made = browser.open(build([tmp_path / "sweep"], tmp_path / "out").html)
    assert made.texts("#sentence")[0].startswith(sentence)
    assert sure in " ".join(made.texts(".top, .first"))
    assert len(made.texts(".card h2")) == 3
    assert made.texts(".matrix tbody tr")
    for part in ("#sentence", "#cards", "#matrix", "#front .plot"):
        assert made.run(f"document.querySelector('{part}').getBoundingClientRect().bottom") <= 900, part
    assert made.run("document.documentElement.scrollWidth") <= 1400
    assert made.errors() == []
    made.close()


def test_the_table_is_sorted_filtered_and_has_its_columns_chosen(page):
    page.show("#table")
    assert names(page)[0] in ("sft", "sft · gptq")  # the front comes first
    page.click("#table thead th.num button")  # the difference in quality
    order = page.texts("#table tbody td:nth-of-type(3)")
    assert order[0].startswith("▲")
    page.type("#table input[type=search]", "gptq")
    page.wait("document.querySelector('#table-count').textContent.startsWith('4 of')")
    assert all("gptq" in name for name in names(page))
    heads = page.run("document.querySelectorAll('#table thead th').length")
    page.run("document.querySelector('.choices input:checked:not(:disabled)').click()")
    assert page.run("document.querySelectorAll('#table thead th').length") == heads - 1
    assert "q=" in page.run("location.hash")


def test_another_baseline_changes_every_difference_and_is_kept_in_the_link(page, browser, demo_report):
    page.show("#table")
    before = page.texts("#table tbody td:nth-of-type(3)")
    place = data_of(demo_report)["rows"]["label"].index("sft")
    page.choose("baseline", place)
    after = page.texts("#table tbody td:nth-of-type(3)")
    assert before != after
    again = browser.open(demo_report.html, choices=page.run("location.hash"))
    again.show("#table")
    assert again.texts("#table tbody td:nth-of-type(3)") == after
    again.close()


def test_a_slider_limits_the_runs_and_axes_can_be_chosen(page):
    page.show("#explorer")
    page.choose("third", 0)
    slider = "#limits input[type=range]"
    page.run(f"document.querySelector('{slider}').focus()")
    for _ in range(3):
        page.key("ArrowRight")
    script = "(() => { const b = %s.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()"
    box = page.run(script % f"document.querySelector('{slider}')")
    page.click_at(box[0] + box[2] * 0.9, box[1] + box[3] / 2)
    said = page.texts("#explorer-said")[0]
    assert not said.startswith("13 of 13")
    assert "Hypervolume" in said
    assert "k=" in page.run("location.hash")


def test_a_click_on_a_point_selects_the_run_in_all_parts(page):
    page.run("document.querySelector('#front .plot').scrollIntoView({block: 'center'})")
    x, y = (
        page.run("""(() => { const holder = document.querySelector('#front .plot'), made = holder.pixelOf(3);
      const box = holder.getBoundingClientRect(); return [box.x + made[0], box.y + made[1]]; })()""")
    )
    page.click_at(x, y)
    page.wait("!document.getElementById('selection').hidden")
    label = page.texts("#selection strong")[0]
    page.show("#table")
    assert page.texts("#table tr.chosen .row-link") == [label]


def test_a_sample_shows_the_words_that_differ(page):
    page.show("#samples")
    page.click("#samples details:nth-of-type(2) summary")
    page.wait(
        "document.querySelectorAll('#samples details[open] ins, #samples details[open] del').length > 0"
    )
    assert len(page.texts("#samples details[open] .answer")) >= 2


def test_effects_are_drawn_and_settings_of_steps_that_only_one_run_has_are_folded(page):
    page.show("#effects")
    levels = page.run("document.querySelectorAll('#effects .panel tbody tr').length")
    assert page.run("document.querySelectorAll('#effects .panel circle').length") == levels > 3
    page.show("#compare")
    assert page.texts("#compare p")[0].startswith("Nothing is pinned")
    assert page.texts("#compare details > summary")[0].endswith("of steps that not all of them have")
    settings = page.texts("#compare div > h3 + .scroll tbody th")
    assert settings == ["method", "compress"]


def test_two_pinned_runs_are_compared_by_keyboard_alone(page):
    page.show("#table")
    for place in (1, 2):
        page.run(f"document.querySelectorAll('#table .pin')[{place}].focus()")
        page.key("Enter")
    page.show("#compare")
    assert len(page.texts("#compare thead th")) >= 3
    assert "p=" in page.run("location.hash")


FOCUSED = "document.activeElement.getAttribute('aria-label') || document.activeElement.innerText.trim()"


def test_the_keyboard_stays_where_it_was_when_a_part_is_drawn_anew(page):
    page.show("#table")
    for selector in (
        "#table thead th:nth-child(4) button",
        "#table .pin",
        "#table tbody .row-link",
        "#matrix .row-link",
        "#selection button:nth-of-type(2)",
    ):
        page.run(f"document.querySelector('{selector}').focus()")
        before = page.run(FOCUSED)
        page.key("Enter")
        assert page.run(FOCUSED) == before, selector
    page.run(
        "[...document.querySelectorAll('#selection button')].find((o) => o.innerText === 'Clear').focus()"
    )
    page.key("Enter")
    assert page.run("document.activeElement.closest('#selection, #matrix') !== null")


def test_tab_goes_through_the_page_and_the_focus_is_always_seen(page):
    seen = """(() => {
      const one = document.activeElement, box = one.getBoundingClientRect();
      return [one.tagName, getComputedStyle(one).outlineStyle, box.bottom > 0 && box.top < innerHeight];
    })()"""
    focused = 0
    for _ in range(40):
        page.key("Tab")
        tag, outline, in_view = page.run(seen)
        if tag == "BODY":  # behind the last one, where a browser has its own buttons
            continue
        focused += 1
        assert outline != "none", tag
        assert in_view, tag
    assert focused >= 20


def test_escape_closes_the_list_of_columns_and_then_lets_go_of_the_run(page):
    page.show("#table")
    page.run("document.querySelector('#table tbody .row-link').click()")
    page.run("document.querySelector('#table .chooser summary').focus()")
    page.key("Enter")
    assert page.run("document.querySelector('#table .chooser').open")
    page.key("Escape")
    assert not page.run("document.querySelector('#table .chooser').open")
    assert page.run(FOCUSED) == "Columns"
    assert not page.run("document.getElementById('selection').hidden")
    page.key("Escape")
    assert page.run("document.getElementById('selection').hidden")


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_screen_in_light_and_dark(browser, demo_report, width):
    one = browser.open(demo_report.html, width=width, dark=width == 390)
    for part in ("table", "effects", "segments", "lineage", "provenance"):
        one.show(f"#{part}")
    assert one.run("document.documentElement.scrollWidth") <= width
    assert one.errors() == []
    one.close()


def test_every_text_can_be_read_against_its_ground_in_light_and_dark(browser, demo_report):
    """The contrast of the colours of the page by WCAG: 4.5 for text."""
    for dark in (False, True):
        one = browser.open(demo_report.html, dark=dark)
        colours = one.run(
            f"""(() => {{ const style = getComputedStyle(document.documentElement);
            return Object.fromEntries({json.dumps(COLOURS)}.map(
              (name) => [name, style.getPropertyValue('--' + name).trim()])); }})()"""
        )
        grounds = ("paper", "raised", "chosen")
        pairs = [(ink, ground) for ink in ("ink", "muted", "accent", "good", "bad") for ground in grounds]
        pairs += [("ink", f"{kind}-{level}") for kind in ("good", "bad") for level in (1, 2, 3)]
        pairs += [("warn-ink", "warn"), ("warn-ink", "raised"), ("warn-ink", "paper")]
        for ink, ground in pairs:
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground, dark)
        one.close()


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    digits = colour.lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.skipif(
    "PTX_AXE" not in os.environ, reason="needs PTX_AXE=axe.min.js of the npm package axe-core"
)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(browser, demo_report, dark):
    made = browser.open(demo_report.html, dark=dark)
    for part in PARTS:
        made.show(f"#{part}")
    script = Path(os.environ["PTX_AXE"]).read_text(encoding="utf-8")
    made.send("Runtime.evaluate", expression=f"{script};0")
    found = "axe.run(document).then((all) => all.violations.map((one) => [one.id, one.nodes[0].html]))"
    assert made.run(found) == []
    made.close()


def test_every_part_is_printed(page):
    assert page.pdf().startswith(b"%PDF")
    page.wait("[...document.querySelectorAll('.part .body')].every((one) => one.children.length)")


def test_new_data_can_be_drawn_without_losing_a_choice(page):
    page.run("document.querySelector('.card .row-link').click()")
    data = "JSON.parse(document.getElementById('data').textContent)"
    page.run(f"window.dispatchEvent(new CustomEvent('ptx-data', {{ detail: {data} }}))")
    assert page.texts("#selection strong") == ["sft"]


def test_hostile_text_in_every_field_runs_nothing_and_breaks_nothing(browser, tmp_path):
    write_hostile(tmp_path / "s", [*STRINGS[::8], *EVERY_OBJECT])
    report = build([tmp_path / "s"], tmp_path / "out")
    one = browser.open(report.html)
    for part in (*PARTS, "failures", "provenance"):
        one.show(f"#{part}")
    one.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    links = one.run("[...document.querySelectorAll('nav a')].map((each) => each.getAttribute('href'))")
    assert all(one.run(f"document.querySelector('{link}') !== null") for link in links)
    foreign = "main script, main iframe, main img, main form, main a[href^=http]"
    assert one.run(f"document.querySelectorAll('{foreign}').length") == 0
    assert one.run("document.documentElement.scrollWidth") <= 1400
    assert (one.errors(), one.requests()) == ([], [])
    one.close()


def test_the_head_of_a_printed_table_is_text_which_every_page_repeats(page):
    page.show("#table")
    heads = page.texts("#table thead th")
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    assert page.run("document.querySelectorAll('#table thead button').length") == 0
    assert page.texts("#table thead th") == heads
    page.run("window.dispatchEvent(new Event('afterprint'))")
    assert page.run("document.querySelectorAll('#table thead button').length") == len(heads)


def test_a_value_is_rounded_alike_above_and_below(browser, tmp_path):
    """0.3125 and a difference of 0.0625 are halves in binary, which two languages may round two ways."""
    sweep = Sweep(tmp_path / "s")
    for place, value in enumerate((0.25, 0.3125)):
        extra = [Metric("quiz/mean", value, "fraction", "higher", value - 0.0625, value + 0.0625, 16)]
        sweep.run({"method": f"m{place}"} if place else {}, baseline=not place, extra=extra)
    report = build([sweep.folder], tmp_path / "out", definition=Definition(headline="quiz/mean"))
    one = browser.open(report.html)
    one.show("#table")
    table, cards = " ".join(one.texts("#table tbody tr")), " ".join(one.texts(".card"))
    assert "0.313" in table
    assert "0.313" in cards
    assert "0.312" not in table + cards
    one.close()


def test_small_words_that_two_answers_share_are_no_mosaic_and_a_sample_has_the_words_of_the_user(
    browser, tmp_path
):
    sweep = Sweep(tmp_path / "s")
    prompt = "<|im_start|>system You help.<|im_end|><|im_start|>user How many?<|im_end|><|im_start|>assistant"
    for place, answer in enumerate(
        ("cat of a man who sat, so it is 7.", "sum of all that he had, so it is 8.")
    ):
        folder = sweep.run({"method": f"m{place}"} if place else {}, baseline=not place)
        row = {"item": "q", "scores": {"bench/mean": float(place)}, "segments": {}}
        rows = [row | {"prompt": prompt, "output": f"It is the {answer}"}]
        write_rows(folder / "evaluations" / "bench.jsonl", rows)
    one = browser.open(build([sweep.folder], tmp_path / "out").html)
    one.show("#samples")
    assert one.texts("#samples summary > span:last-child") == ["How many?"]
    shown = one.run("document.querySelectorAll('#samples .said')[1].innerHTML")
    assert shown.strip() == (
        "It is the <del>cat of a man who sat,</del><ins>sum of all that he had,</ins> so it is"
        " <del>7.</del><ins>8.</ins>"
    )
    one.close()
