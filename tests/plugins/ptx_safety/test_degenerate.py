import pytest

from ptx_safety.degenerate import degenerate


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        (" \n...!", "empty"),
        ("I cannot help with that request. " * 8, "repetition"),
        ("ha" * 40, "repetition"),
        ("\ufffd\ufffd\x00\x01 a \ufffd", "gibberish"),
        ("xqzt brrgk wvlmn tq2k9f kjhgf zxcvb", "gibberish"),
        ("aBcDeFg hIjKlM nOpQrSt", "gibberish"),
        ("No, no, no.", ""),
        ("The answer is 19.", ""),
        ("42", ""),
        ("Beginne mit dem Schloss und mach langsam.", ""),
        ("Ваш ответ: сорок два.", ""),
        ("SELECT name FROM users WHERE id = 3;", ""),
        ("\u7b2c\u4e00\u6b65\uff0c\u6253\u5f00\u7a97\u6237\u3002\u5173\u4e0a\u95e8\u3002", ""),
    ],
)
def test_replies_without_content_are_distinguished_from_short_and_foreign_ones(text, kind):
    assert degenerate(text) == kind
