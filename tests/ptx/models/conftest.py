from tests.plugins.conftest import chat_model

__all__ = ["chat_model"]
