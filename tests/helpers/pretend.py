"""A pretend accelerator: arithmetic by the CPU, manners of a GPU.

    with Machine() as machine:
        net, x = machine.move(TinyNet()), machine.to(images)
        maps = hc.GradCAM()(net, x, "relu2")
    machine.waits        # {"item": 1, ...}: how often something asked the device and waited for it

Its tensors say that they lie on "meta" and hold a tensor of the CPU. Mixing them with tensors of the
CPU raises, as on CUDA; their memory is closed to NumPy. `waits` counts what stops a GPU's queue: reading
a number, comparing whole tensors, copies, and results whose size depends on values.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

PLACE = torch.device("meta")
TO_CPU, TO_DEVICE = "copy to the CPU", "copy to the device"
WAITING = {
    "_local_scalar_dense",
    "equal",
    "nonzero",
    "masked_select",
    "_unique2",
    "unique_dim",
    "unique_consecutive",
    "bincount",  # how large is it?
    "_linalg_eigh",
    "linalg_eig",
    "_linalg_svd",
    "_linalg_check_errors",  # did it succeed?
}
INDEXING = ("index", "index_put", "index_put_")
MAKERS = {torch.tensor, torch.as_tensor, torch.asarray, Tensor.new_tensor}


class Pretend(Tensor):
    """A tensor on the pretend device; `inner` is where its numbers are."""

    @staticmethod
    def __new__(cls, inner: Tensor):
        made = Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=PLACE,
            requires_grad=inner.requires_grad,
        )
        made.inner = inner.detach()
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __repr__(self):
        return f"Pretend({self.inner!r})"

    def data_ptr(self):
        return self.inner.data_ptr()

    def untyped_storage(self):
        return self.inner.untyped_storage()

    def __format__(self, spec):
        return format(self.item() if self.dim() == 0 else self.cpu(), spec)

    def tolist(self):
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError("a pretend tensor was used outside its machine")


class _Makers(TorchFunctionMode):
    """torch.tensor and its like fill a tensor of the CPU, which is then moved."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func not in MAKERS:
            return func(*args, **kwargs)
        place = kwargs.pop("device", args[0].device if func is Tensor.new_tensor else None)
        if func is Tensor.new_tensor and isinstance(args[0], Pretend):
            kwargs.setdefault("dtype", args[0].dtype)
            func, args = torch.tensor, args[1:]
        made = func(*args, **kwargs)
        return made if place is None or isinstance(made, Pretend) else made.to(place)


class Machine(TorchDispatchMode):
    """While it lasts there is such a device. narrow: one without float64 and eigenvectors, as MPS is."""

    def __init__(self, narrow: bool = False) -> None:
        super().__init__()
        self.narrow = narrow
        self.waits: Counter[str] = Counter()
        self._makers = _Makers()

    def __enter__(self):
        self._makers.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._makers.__exit__(*error)

    def to(self, tensor: Tensor) -> Tensor:
        return tensor.detach().to(PLACE, non_blocking=True).requires_grad_(tensor.requires_grad)

    def move(self, net: nn.Module) -> nn.Module:
        for module in net.modules():
            for name, value in module._parameters.items():
                module._parameters[name] = (
                    None if value is None else nn.Parameter(self.to(value.detach()), value.requires_grad)
                )
            for name, value in module._buffers.items():
                module._buffers[name] = None if value is None else self.to(value)
        return net

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.overloadpacket.__name__, dict(kwargs or {})
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        there = [x for x in tensors if isinstance(x, Pretend)]
        asked = kwargs.get("device")
        target = bool(there) if asked is None else torch.device(asked).type == PLACE.type
        if asked is not None:
            kwargs["device"] = torch.device("cpu") if target else asked
        free = name in ("_to_copy", "copy_", *INDEXING)  # a GPU takes indices of the CPU, too
        if there and not free and any(x.dim() for x in tensors if not isinstance(x, Pretend)):
            raise RuntimeError(f"Expected all tensors to be on the same device: {name}, {[x.device for x in tensors]}")
        for wait in self._waits_of(name, args, kwargs, target):
            self.waits[wait] += 1
        plain = tree_map(lambda x: x.inner if isinstance(x, Pretend) else x, (args, kwargs))
        out = func(*plain[0], **plain[1])
        if (
            self.narrow
            and target
            and (
                name == "_linalg_eigh"
                or any(isinstance(x, Tensor) and x.dtype == torch.float64 for x in tree_leaves(out))
            )
        ):
            raise TypeError(f"this device has no float64 and no eigenvectors: {name}")
        if target and there:
            out = tree_map(lambda x: Pretend(x) if isinstance(x, Tensor) else x, out)
            return return_and_correct_aliasing(func, args, kwargs, out)
        return tree_map(lambda x: Pretend(x) if target and isinstance(x, Tensor) else x, out)

    @staticmethod
    def _waits_of(name: str, args: tuple, kwargs: dict, target: bool) -> list[str]:
        """What waits for the device in one operation. Other copies to it wait, too, unless they are told not to."""
        there = any(isinstance(x, Pretend) for x in tree_leaves((args, kwargs)))
        if name == "_to_copy":
            away, here = isinstance(args[0], Pretend), target
        elif name == "copy_":
            away, here = isinstance(args[1], Pretend), isinstance(args[0], Pretend)
        elif name in INDEXING and there:
            places = [x for x in args[1] if isinstance(x, Tensor)]
            masks = [x for x in places if x.dtype in (torch.bool, torch.uint8)]
            return ["mask as index"] * bool(masks) + [TO_DEVICE] * any(not isinstance(x, Pretend) for x in places)
        else:
            return [{"_local_scalar_dense": "item"}.get(name, name)] if there and name in WAITING else []
        if away == here:
            return []
        return [TO_CPU] if away else [] if kwargs.get("non_blocking") or args[2:3] == (True,) else [TO_DEVICE]
