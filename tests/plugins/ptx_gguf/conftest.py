import pytest

from ptx.lm.load import load_model, load_tokenizer
from ptx.models.package import write_package
from ptx_gguf.export import limits
from ptx_gguf.files import write
from ptx_gguf.model import FILE


@pytest.fixture(scope="session")
def f32_package(tmp_path_factory, chat_model):
    """The chat model of the tests, unrounded, without the step around it."""
    folder = tmp_path_factory.mktemp("gguf")
    network = load_model(chat_model)
    write(network, chat_model, folder / FILE, "f32")
    load_tokenizer(chat_model).save_pretrained(folder)
    write_package(folder, "gguf", "digest", limits(network))
    return folder
