"""What the two comparisons of a GPU with the CPU share: their options, their clock, and a file with all rows so far."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

import holicam as hc


def parser(about: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=about.splitlines()[0])
    made.add_argument("--device", default="cuda")
    made.add_argument("--results", type=Path, required=True, help="the folder to write to")
    made.add_argument("--seconds", type=float, default=float("inf"), help="after these nothing else is begun")
    return made


class Sheet:
    """Writes NAME-DEVICE.json as often as something is known."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.end, self.device = time.monotonic() + options.seconds, hc.edition.find_device(options.device)
        self.path = options.results / f"{name}-{self.device.type}.json"

    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()

    def write(self, rows: list[dict], not_run: list[str], **about: object) -> None:
        name = torch.cuda.get_device_name() if self.device.type == "cuda" else self.device.type
        made = {"device": name, "torch": torch.__version__, "date": time.strftime("%Y-%m-%d"), **about}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**made, "not_run": not_run, "rows": rows}, indent=1, ensure_ascii=False)
        self.path.write_text(text + "\n", encoding="utf-8")
