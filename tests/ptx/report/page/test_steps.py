"""What each step of a recipe did."""

from ptx.report.page.steps import links_of


def test_the_steps_of_a_recipe_go_through_the_models_that_were_measured(demo_report):
    row = next(row for row in demo_report.frame.rows if row.label == "sft · gptq")
    links = links_of(demo_report.frame, row)
    assert [(link.before.label, link.after.label, link.steps) for link in links] == [
        ("baseline", "sft", ["sft"]),
        ("sft", "sft · gptq", ["gptq"]),
    ]
    assert links[1].changes["size/bytes_on_disk"].mark == "▲"
