"""The Markdown file."""

from ptx.report.formats.markdown import escape


def test_markdown_escapes_what_would_be_markup():
    assert escape("a|b\n<i>*_`[x](y)") == "a\\|b &lt;i&gt;\\*\\_\\`\\[x\\](y)"
