"""A watch over code that must not wait for the device."""

from contextlib import contextmanager

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

WAITING = {
    "aten::_local_scalar_dense",  # item, bool, int, float of a tensor, and tensors in f-strings
    "aten::item",
    "aten::nonzero",
    "aten::nonzero_static",
    "aten::argwhere",
    "aten::bincount",
    "aten::histc",
    "aten::masked_select",
    "aten::is_nonzero",
    "aten::equal",
    "aten::allclose",
}
TO_HOST = {"tolist", "numpy", "cpu", "__array__"}  # on a CPU these call no operator
INDEXING = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}


class HostSynchronisation(AssertionError):
    """An operation that would have made the host wait."""


class NoWaiting(TorchDispatchMode):
    """Fails on each operation that makes the host wait for the device, also where it runs on a CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.watches, self.seen = True, []
        self.methods = _Methods(self)

    def __enter__(self):
        self.methods.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.methods.__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if self.watches:
            name = func.name().partition(".")[0]
            self.seen.append(name)
            if name in WAITING or "unique" in name or self._by_truth(name, args):
                raise HostSynchronisation(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))

    @staticmethod
    def _by_truth(name: str, args: tuple) -> bool:
        """Whether this is an indexing with booleans, whose number of hits the host must know."""
        if name not in INDEXING:
            return False
        indices = [index for index in args[1] if isinstance(index, Tensor)]
        return any(index.dtype in (torch.bool, torch.uint8) for index in indices)

    @contextmanager
    def paused(self):
        """Inside, anything goes."""
        self.watches = False
        try:
            yield
        finally:
            self.watches = True


class _Methods(TorchFunctionMode):
    """Fails on the methods of a tensor that bring it to the host."""

    def __init__(self, watch: NoWaiting) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if self.watch.watches and name in TO_HOST:
            raise HostSynchronisation(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))
