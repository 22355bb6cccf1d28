"""Read a .safetensors file: eight bytes that say how long the header is, the header in JSON, the numbers."""

import json
import struct
from pathlib import Path

import torch

TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def load_file(path: str | Path) -> dict[str, torch.Tensor]:
    """{name: tensor}, on the CPU. Raises ValueError where the file is not as its header says."""
    raw = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header, body = json.loads(raw[8 : 8 + length]), memoryview(raw)[8 + length :]
    found = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        dtype, (begin, end) = TYPES[about["dtype"]], about["data_offsets"]
        if not 0 <= begin <= end <= len(body):
            raise ValueError(f"{path}: {name!r} lies outside the file")
        flat = torch.frombuffer(bytearray(body[begin:end]), dtype=dtype) if end > begin else torch.empty(0, dtype=dtype)
        found[name] = flat.view(about["shape"])
    return found
