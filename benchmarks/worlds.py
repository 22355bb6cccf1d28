"""Pictures of two worlds to measure on, and the networks that see them: photographs of a folder, and Toyland."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

import holicam as hc
from holicam.datasets.photos import fit, middle, read_photo, to_images
from holicam.models.preprocessing import Preprocessing

SIDE, COUNT, SINGLES, SURE = 224, 100, 40, 0.5
PILOT, FAR = range(100, 104), 1000  # photographs of the pilot; Toyland's mosaics begin beyond its own
LITE0 = Preprocessing(SIDE, (127 / 255,) * 3, (128 / 255,) * 3, "bicubic")


class World:
    """A network, its four stages, and pictures by number."""

    def __init__(self, name: str, network: str, stages: list[str], folder: Path | None = None):
        self.name, self.network, self.stages, self.files = name, network, stages, []
        self.model = hc.load_model(network).to(memory_format=torch.channels_last)
        if folder:
            files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
            order = torch.randperm(len(files), generator=torch.Generator().manual_seed(0)).tolist()
            self.files = [files[i] for n, i in enumerate(order) if n not in PILOT]

    def picture(self, n: int) -> tuple[str, Tensor]:
        """Name, and (1, 3, 224, 224) as the network wants it."""
        if not self.files:
            batch = hc.toyland.batch(1, split="test", start=n, size=SIDE)
            return batch.ids[0], batch.images
        path = self.files[n]
        return path.stem, to_images(fit(middle(read_photo(path)), SIDE, mode=LITE0.mode), LITE0)

    @torch.no_grad()
    def sure(self) -> Iterator[tuple[str, Tensor, int]]:
        """Pictures that are no singles, of which the network is sure, and their class."""
        photographs = [*range(COUNT, len(self.files)), *range(SINGLES, COUNT)]
        for n in photographs if self.files else range(FAR, 2 * FAR):
            name, image = self.picture(n)
            p, top = self.model(image).softmax(1).max(1)
            if p >= SURE:
                yield name, image, int(top)

    def singles(self) -> Iterator[tuple[str, Tensor, int | None]]:
        for n in range(SINGLES):
            yield *self.picture(n), None

    def mosaics(self) -> Iterator[tuple[str, Tensor, int]]:
        """The first of four is asked for; it moves from quarter to quarter."""
        waiting, sure = [], self.sure()
        for n in range(COUNT):
            four: list[tuple[str, Tensor, int]] = []
            while len(four) < 4:
                fits = next((w for w in waiting if w[2] not in [f[2] for f in four]), None)
                if fits:
                    waiting = [w for w in waiting if w is not fits]
                    four.append(fits)
                elif (found := next(sure, None)) is None:
                    return  # the folder is too small for more
                else:
                    waiting.append(found)
            name, _, target = four[0]
            small = [torch.nn.functional.interpolate(x, SIDE // 2, mode="bilinear", antialias=True) for _, x, _ in four]
            small = small[1 : n % 4 + 1] + small[:1] + small[n % 4 + 1 :]
            yield name, torch.cat([torch.cat(small[:2], 3), torch.cat(small[2:], 3)], 2), target
