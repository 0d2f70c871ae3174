import types

from ptx.lm.progress import Bar, Pace, replaced, reported_bars


def test_a_bar_counts_what_it_iterates_over_or_is_updated_by():
    seen = []
    bar = Bar([10, 20], desc="work", report=lambda *report: seen.append(report), disable=False)
    assert list(bar) == [10, 20]
    manual = Bar(total=4, report=lambda *report: seen.append(report))
    manual.update(3)
    manual.close()
    assert seen == [("work", 1, 2), ("work", 2, 2), ("", 3, 4)]


def test_a_librarys_bars_are_reported_while_the_context_lasts_and_restored_after():
    library = types.ModuleType("library")
    library.tqdm = original = object()
    seen = []
    with reported_bars(lambda *report: seen.append(report), library):
        assert list(library.tqdm(range(2), desc="loading")) == [0, 1]
    assert library.tqdm is original
    assert seen[-1] == ("loading", 2, 2)


def test_a_replaced_name_comes_back_also_after_an_error():
    module = types.ModuleType("module")
    module.name = "old"
    try:
        with replaced(module, "name", "new"):
            assert module.name == "new"
            raise KeyError
    except KeyError:
        assert module.name == "old"


def test_pace_holds_back_all_but_the_last_step():
    logged = []

    class Run:
        def log(self, metrics, step, total):
            logged.append((step, total, metrics))

    pace = Pace(Run(), every=3600)
    for step in (1, 2, 3):
        pace.log({"done": step}, step, 3)
    assert logged == [(3, 3, {"done": 3, "eta_seconds": 0.0})]
