"""The packaged model and tokenizer, and the prompts of the benchmark."""

import pytest

from ptx_tiny import MODEL_FOLDER
from ptx_tiny.tasks import DOCUMENTS


@pytest.fixture(scope="module")
def tokenizer():
    """The packaged tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODEL_FOLDER)


@pytest.fixture(scope="module")
def loaded():
    """The packaged model and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(
        MODEL_FOLDER, dtype="float32", trust_remote_code=False
    ).eval()
    return model, AutoTokenizer.from_pretrained(MODEL_FOLDER, trust_remote_code=False)


@pytest.fixture(scope="module")
def benchmark_prompts() -> set[str]:
    """The prompts of all documents of the benchmark."""
    return {row["prompt"] for make in DOCUMENTS.values() for row in make()}
