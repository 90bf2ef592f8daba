"""Nothing that is not finite is trained on or kept, and the message says where it came from."""

from pathlib import Path

import pytest
import torch
from torch import nn

from r3cnn.core.errors import UserError
from r3cnn.training import finite

WHERE = Path("state")
BAD = [float("nan"), float("inf"), -float("inf")]


@pytest.mark.parametrize("bad", BAD)
def test_losses(bad):
    terms = {
        "loss_cls": torch.tensor(1.0),
        "loss_mask": torch.tensor(bad),
        "acc": torch.tensor(50.0),
    }
    terms["loss"] = terms["loss_cls"] + terms["loss_mask"]
    with pytest.raises(UserError) as caught:
        finite.require_finite_losses(WHERE, 12, [3, 99], terms)
    message = str(caught.value)
    assert message.startswith(f"state: iteration 12, images [3, 99]: loss_mask {bad}, loss {bad}")
    assert "loss_cls" not in message
    assert "is kept" in message
    assert "lower `lr`" in message
    finite.require_finite_losses(WHERE, 12, [3], {"loss": torch.tensor(1e30)})


@pytest.mark.parametrize("bad", BAD)
def test_gradients(bad):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    finite.require_finite_gradients(WHERE, 1, [5], model)  # none at all
    model(torch.ones(1, 2)).sum().backward()
    finite.require_finite_gradients(WHERE, 1, [5], model)
    model[1].weight.grad[0, 1] = bad
    with pytest.raises(
        UserError, match=r"iteration 4, images \[5\]: gradient of 1.weight not finite"
    ):
        finite.require_finite_gradients(WHERE, 4, [5], model)


@pytest.mark.parametrize("bad", BAD)
def test_weights(bad):
    state = {f"layer{i}.weight": torch.ones(3) for i in range(8)} | {"steps": torch.tensor(3)}
    finite.require_finite_weights(WHERE, 9, state)
    for i in range(7):
        state[f"layer{i}.weight"][1] = bad
    with pytest.raises(UserError, match=r"iteration 9: layer0.weight, .* and 2 more not finite"):
        finite.require_finite_weights(WHERE, 9, state)
