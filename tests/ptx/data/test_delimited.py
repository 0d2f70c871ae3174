"""CSV as programs and spreadsheets of all countries write it."""

import pytest

from ptx.data import open_data


@pytest.fixture
def table(tmp_path):
    def table(text, ending="csv"):
        path = tmp_path / f"my.{ending}"
        path.write_bytes(text.encode())
        return open_data("x", path)

    return table


@pytest.mark.parametrize(
    ("separator", "said"), [(",", ""), (";", "semicolons"), ("\t", "tabs"), ("|", "bars")]
)
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_the_separator_is_found_and_said(table, separator, said, ending):
    rows = [["prompt", "completion"], ["One, two; or | more?", "A\ttab, too."], ["b?", "c."]]
    quoted = "\r\n".join(separator.join(f'"{cell}"' for cell in row) for row in rows)
    data = table(quoted, ending)
    assert data.rows("completions") == [
        {"prompt": "One, two; or | more?", "completion": "A\ttab, too."},
        {"prompt": "b?", "completion": "c."},
    ]
    assert (f"separated by {said}" in data.describe("completions")) == bool(said)


def test_commas_in_the_texts_of_a_file_with_semicolons_do_not_divide_them(table):
    data = table("prompt;completion\nWie, bitte?;So, so, so.\nUnd, dann?;Ja, ja.\n")
    assert data.rows("completions")[0] == {"prompt": "Wie, bitte?", "completion": "So, so, so."}


def test_the_first_line_of_excel_and_spaces_behind_separators_are_understood(table):
    assert table("sep=;\nprompt;completion\na;b\n").rows("completions") == [
        {"prompt": "a", "completion": "b"}
    ]
    assert table('prompt, completion\na, "b, c"\n').rows("completions") == [
        {"prompt": "a", "completion": "b, c"}
    ]


def test_a_decimal_comma_is_kept_as_it_is_written(table):
    data = table("prompt;answer\nWas ist 1/2?;0,5\nWas ist 3/2?;1,5\n")
    assert data.rows("prompts")[0] == {"prompt": "Was ist 1/2?", "answer": "0,5"}


def test_an_index_column_of_pandas_is_left_out(table):
    assert table(",prompt,completion\n0,a,b\n1,c,d\n").rows("completions")[1] == {
        "prompt": "c",
        "completion": "d",
    }


def test_cells_over_several_lines_keep_them_and_the_line_numbers(table):
    data = table('prompt,completion\n"a\nb",c\nd,"e ""f"""\n')
    assert [record.line for record in data.located("completions")] == [3, 4]
    assert data.rows("completions")[1]["completion"] == 'e "f"'


def test_faults_of_cells_are_told_by_kind_with_what_to_do(table, refused):
    message = refused(lambda: table("prompt,completion\na,b,c\nd,e,f\ng,h\n"))
    assert message == (
        "file my.csv line 2: more cells than the 2 columns, got 3 (and 1 more of 3 rows: line 3); quote cells"
        " that hold a comma"
    )
    assert "the column prompt twice" in refused(lambda: table("prompt,prompt,completion\na,b,c\n"))
    assert "line 2: unexpected end of data; close every quote" in refused(lambda: table('text\n"a\n'))
