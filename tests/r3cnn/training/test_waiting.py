"""The watch itself: it catches each way of waiting, and lets the others pass."""

import pytest
import torch

from tests.r3cnn.waiting import HostSynchronisation, NoWaiting

X = torch.tensor([0.1, 0.7, 0.4])
N = torch.tensor([0, 1, 1])

WAITS = {
    "item": lambda: X[0].item(),
    "float": lambda: float(X.sum()),
    "int": lambda: int(N.sum()),
    "bool": lambda: bool(X[0] > 0),
    "if": lambda: 1 if (X > 0).any() else 0,
    "tolist": lambda: X.tolist(),
    "nonzero": lambda: torch.nonzero(X > 0.3),
    "nonzero as a tuple": lambda: (X > 0.3).nonzero(as_tuple=True),
    "where with one argument": lambda: torch.where(X > 0.3),
    "argwhere": lambda: torch.argwhere(X > 0.3),
    "bincount": lambda: torch.bincount(N),
    "histc": lambda: torch.histc(X, 20, 0, 1),
    "unique": lambda: torch.unique(N),
    "unique unsorted": lambda: torch.unique(N, sorted=False),
    "unique with counts": lambda: torch.unique(N, return_counts=True),
    "unique of a dimension": lambda: torch.unique(N[:, None], dim=0),
    "unique consecutive": lambda: torch.unique_consecutive(N),
    "boolean index": lambda: X[X > 0.3],
    "boolean index of rows": lambda: torch.zeros(3, 2)[X > 0.3, 0],
    "masked_select": lambda: torch.masked_select(X, X > 0.3),
    "boolean assignment": lambda: X.clone().__setitem__(X > 0.3, torch.ones(2)),
    "equal": lambda: torch.equal(X, X),
    "copy to the host": lambda: X.cpu(),
    "numpy": lambda: X.numpy(),
}

PASSES = {
    "index by integers": lambda: X[N],
    "index_select": lambda: X.index_select(0, N),
    "scatter_add": lambda: torch.zeros(2).scatter_add_(0, N, X),
    "where with three arguments": lambda: torch.where(X > 0.3, X, 0),
    "masked_fill": lambda: X.masked_fill(X > 0.3, 0),
    "clamp of a cast": lambda: (X * 20).long().clamp_(0, 19),
    "slice": lambda: X[1:].sum(),
}


@pytest.mark.parametrize("name", WAITS)
def test_it_catches(name):
    with pytest.raises(HostSynchronisation), NoWaiting():
        WAITS[name]()
    WAITS[name]()  # which runs where nobody watches


@pytest.mark.parametrize("name", PASSES)
def test_it_lets_pass(name):
    with NoWaiting() as watch:
        PASSES[name]()
    assert watch.seen


def test_it_can_be_paused_and_goes_on():
    with NoWaiting() as watch:
        with watch.paused():
            assert X[0].item() > 0
        with pytest.raises(HostSynchronisation):
            X[0].item()
