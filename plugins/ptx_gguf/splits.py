"""Whether the tokenizer in the file splits text as the model's own does.

ptx sends token ids, so its own figures do not depend on this. Whoever serves the file elsewhere sends text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptx import StepError
from ptx_gguf.model import GgufLanguageModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# ruff: noqa: RUF001
TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    " A text that begins with a space and ends with one ",
    "two  spaces,   three, and a\ttab",
    "first line\nsecond line\n\nafter an empty line\r\nafter another\n",
    "I'm sure they've said: \"don't!\" (or didn't they?)",
    "In 2024, 12345 + 67890 = 80235; 3.14159, 1e-9, 0xFF",
    "def f(x):\n    return [i ** 2 for i in range(x)]  # squares\n\n\tif x:\n\t\tpass\n",
    "https://example.org/a_b-c/d.html?x=1&y=%20#top",
    "Größe, naïve café, Ærøskøbing, şey, čeština, ﬁn",
    "Привет, как дела? Γειά σου Κόσμε",
    "你好，世界。これはテストです。안녕하세요",
    "مرحبا بالعالم שלום नमस्ते ไทย",
    "emoji 🙂👩‍👩‍👧 and rare: 𝔘𝔫𝔦 \N{RUNIC LETTER FEHU FEOH FE F}\N{RUNIC LETTER URUZ UR U}",
    "MiXeD cAsE camelCase snake_case SHOUTING... ---- ====",
    "ends without a full stop",
    "x",
)
MOST = 0.25  # share of texts that may differ; above it the file holds another tokenizer


def differing(lm: GgufLanguageModel, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The texts that the two split differently, with and without a special token before them."""
    begin = str(tokenizer.eos_token or "")
    texts = [*TEXTS, *(f"{begin}{text}" for text in TEXTS[:2] if begin)]
    plain = {text: tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts}
    return [text for text in texts if lm.split(text) != list(plain[text])]


def check_splits(found: list[str]) -> str:
    """Refuse a file whose tokenizer is another; say where it is a little different.

    Returns:
        One line for the user; empty where all texts agree.

    Raises:
        StepError: it is another tokenizer.
    """
    if not found:
        return ""
    what = f"the file's tokenizer splits {len(found)} of {len(TEXTS) + 2} texts otherwise than the model's"
    shortest = min(found, key=len)
    if len(found) > MOST * len(TEXTS):
        raise StepError(f"{what}, as {shortest!r}; use runtime=onnx, or llama.cpp's convert_hf_to_gguf.py")
    return f"{what}, as {shortest!r}: send token ids, or expect other answers there"
