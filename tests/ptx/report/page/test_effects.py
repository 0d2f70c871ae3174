"""Main effects of the settings."""

from ptx.report.page.effects import effects_of


def test_an_effect_is_the_mean_difference_with_all_other_settings_the_same(demo_report):
    frame = demo_report.frame
    (compress,) = [one for one in effects_of(frame, "size/bytes_on_disk") if one.setting == "compress"]
    first, gptq, sparse = compress.levels
    assert (first.value, first.blocks) == ("[]", 4)
    assert (gptq.value, gptq.effect, gptq.low, gptq.high) == ("[gptq]", *[2_480_128 - 9_830_400] * 3)
    assert (sparse.effect, sparse.blocks) == (0, 4)
