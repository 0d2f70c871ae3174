import math

import torch

from ptx.lm.serving.decoding import Noise
from ptx_hf.sampling import Gumbel, StopWatch


def test_sampling_follows_the_softmax():
    scores = torch.tensor([[2.0, 1.0, 0.0, -1.0]]).repeat(4000, 1)
    drawn = Gumbel(Noise(range(4000), 0.5), range(4000))(torch.empty(0), scores).argmax(-1)
    for token, p in enumerate(torch.softmax(scores[0].double() / 0.5, -1).tolist()):
        assert abs(float((drawn == token).double().mean()) - p) < 4 * math.sqrt(p * (1 - p) / 4000)


def test_the_watch_notes_every_token_and_ends_nothing():
    watch = StopWatch("cpu")
    ids = torch.zeros(3, 5, dtype=torch.long)
    assert watch(ids, torch.empty(0)).tolist() == [False] * 3
    watch(ids, torch.empty(0))
    assert len(watch.times) == 2
    assert watch.times[0] <= watch.times[1] <= watch.now()
