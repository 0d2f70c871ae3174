"""What identifies a checked scorer."""

from dataclasses import replace

from ptx.lm.evaluation.checked import check_file, checks_of, key_of
from ptx_safety import RefusalOpening, RefusalPhrases


def test_a_scorer_with_other_settings_or_files_is_another_one(tmp_path):
    scorer = RefusalOpening()
    own = tmp_path / "own.txt"
    own.write_text("Nein\n")
    mine = replace(scorer, openings=str(own))
    keys = {key_of(one, 1) for one in (scorer, replace(scorer, threshold=0.7), mine, RefusalPhrases())}
    own.write_text("Nie\n")
    assert len(keys | {key_of(mine, 1), key_of(scorer, 2)}) == 6


def test_checks_of_one_name_lie_in_one_folder_of_the_cache():
    path = check_file("safety", "refusal_opening", RefusalOpening(), 1)
    assert path.parent == checks_of("safety", "refusal_opening")
    assert path.parent != checks_of("judge", "refusal_opening")
