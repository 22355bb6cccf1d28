"""Operations by the names under which PyTorch calls them, sorted by what relevance makes of them.

Names are without underscores: `add`, `add_`, `__add__` and `aten::add.Tensor` are one.
"""

from __future__ import annotations

LINEAR = {"conv1d", "conv2d", "conv3d", "linear"}
AVERAGE = {
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "mean",
    "sum",
}
ADD = {"add", "iadd", "radd"}
SUBTRACT = {"sub", "isub", "rsub", "subtract"}
MULTIPLY = {"mul", "imul", "rmul", "multiply"}
DIVIDE = {"div", "idiv", "rdiv", "truediv", "itruediv", "rtruediv", "divide", "true_divide"}
PAIRS = ADD | SUBTRACT | MULTIPLY | DIVIDE
NEGATE = {"neg", "negative"}
WINNERS = {
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "amax",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_pool1d_with_indices",
    "max_pool2d_with_indices",
    "max_pool3d_with_indices",
}
MOVES = WINNERS | {
    "broadcast_to",
    "cat",
    "channel_shuffle",
    "chunk",
    "clone",
    "concat",
    "concatenate",
    "contiguous",
    "copy",
    "cpu",
    "cuda",
    "double",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "expand",
    "expand_as",
    "feature_dropout",
    "flatten",
    "flip",
    "float",
    "get",
    "getitem",
    "hstack",
    "index_select",
    "masked_fill",
    "moveaxis",
    "movedim",
    "narrow",
    "pad",
    "permute",
    "pixel_shuffle",
    "pixel_unshuffle",
    "positive",
    "ravel",
    "repeat",
    "requires_grad",
    "reshape",
    "reshape_as",
    "roll",
    "select",
    "setitem",
    "split",
    "split_with_sizes",
    "squeeze",
    "stack",
    "swapaxes",
    "swapdims",
    "tile",
    "to",
    "transpose",
    "type_as",
    "unbind",
    "unflatten",
    "unsqueeze",
    "view",
    "view_as",
    "vstack",
    "where",
}
# Where constants and values that depend on the image may stand side by side in one result.
JOINS = {"cat", "concat", "concatenate", "hstack", "masked_fill", "pad", "stack", "vstack", "where"}
# Only the first argument's values are read; the others lend their shape, type or device.
SHAPED = {"expand_as", "reshape_as", "to", "type_as", "view_as"}
# The only names with underscores on both sides that write: `__invert__`, `__int__` and `__index__` do not.
WRITES = {
    "__iadd__",
    "__iand__",
    "__idiv__",
    "__ifloordiv__",
    "__ilshift__",
    "__imod__",
    "__imul__",
    "__ior__",
    "__ipow__",
    "__irshift__",
    "__isub__",
    "__itruediv__",
    "__ixor__",
    "__setitem__",
}
NUMBERS = {"__complex__", "__float__", "__index__", "__int__", "__array__", "item", "numpy", "tolist"}


def plain(called: str) -> str:
    """The name of these tables for the name under which a function was called."""
    return called.partition(".")[0].strip("_")


def writes(called: str) -> bool:
    """Whether a function called so writes its result into its first argument: `add_`, `__iadd__`, `__setitem__`."""
    return called in WRITES if called.startswith("__") else called.endswith("_")
