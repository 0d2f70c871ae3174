"""Every preset of the group ``model`` composes to a typed hub model."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from ptx_hub import HubModel

CONF = Path(__file__).parents[3] / "conf"
PRESETS = sorted(file.stem for file in (CONF / "model").glob("*.yaml"))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_the_hub_choice_with_its_id_filled_in(preset):
    ConfigStore.instance().store(group="model", name="hub", node=HubModel, package="model")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        model = OmegaConf.to_object(compose(overrides=[f"+model={preset}"]).model)
    assert isinstance(model, HubModel)
    assert model.id.count("/") == 1
    assert model.revision is None


def test_a_preset_says_what_it_is_in_its_first_line():
    assert len(PRESETS) >= 9
    for preset in PRESETS:
        first = (CONF / "model" / f"{preset}.yaml").read_text().splitlines()[0]
        assert first.startswith("# ")
        assert ";" in first  # what it is; its licence
