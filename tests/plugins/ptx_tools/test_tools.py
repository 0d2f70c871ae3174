"""The settings of eval=[tools]."""

import pytest

from ptx_tools import Tools


def test_wrong_settings_say_what_would_be_right(bfcl):
    with pytest.raises(ValueError, match=r"eval\.tools\.prompt must be one of auto, template, text"):
        Tools(prompt="hermes")
    with pytest.raises(ValueError, match=r"eval\.tools\.limit"):
        Tools(limit=0)
    assert len(Tools(files=[str(bfcl)]).inputs()) == 8
