"""Every photograph by every explainer: what fails is said and passed over."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..models.files import prepare_folder
from .contact_sheet import ContactSheets
from .explain_photos import Explained, PhotoExplainer
from .said import no_memory, sentence


@dataclass
class Tally:
    """How many photographs are done, done by some of the explainers only, and failed by all of them."""

    done: int = 0
    in_part: int = 0
    failed: int = 0

    def add(self, wrong: int, of: int) -> None:
        """One more photograph, which so many explainers failed on."""
        self.done += wrong == 0
        self.in_part += 0 < wrong < of
        self.failed += wrong == of

    def __str__(self) -> str:
        """ "2 done, 1 in part, 0 failed"; what is done in part is named only where there is some."""
        return f"{self.done} done, " + (f"{self.in_part} in part, " if self.in_part else "") + f"{self.failed} failed"


def explain_photos(
    readies: Sequence[PhotoExplainer],
    photos: Sequence[Path],
    out: Path,
    report: Callable[[Explained], None],
    complain: Callable[[str], None],
    remark: Callable[[str], None] = lambda words: None,
    *,
    inputs: Sequence[Path] | None = None,
) -> tuple[Tally, list[Path]]:
    """Explain every file by every explainer; what fails, for whatever reason, is named to `complain` and passed over.

    Args:
        photos: may be any iterable, such as a progress bar; `inputs` are then the files, none of which is written over.
        remark: hears once of each thing worth knowing.

    Returns how it went, and the contact sheets, which several explainers have. Raises OutputError for a folder that
    cannot be written to.
    """
    inputs = list(photos) if inputs is None else inputs
    prepare_folder(out)
    tally, heard = Tally(), set()
    sheets = ContactSheets(readies, inputs, out)
    for photo in photos:
        made: dict[str, Explained | str] = {}
        for ready in readies:
            made[ready.explainer], remarks = _one(ready, photo, out, inputs)
            for words in remarks:
                if words not in heard:
                    heard.add(words)
                    remark(words)
        for one in made.values():
            if isinstance(one, Explained):
                report(one)
        wrong = {name: said for name, said in made.items() if isinstance(said, str)}
        tally.add(len(wrong), len(readies))
        alike = len(readies) == 1 or (len(wrong) == len(readies) and len(set(wrong.values())) == 1)
        for words in dict.fromkeys(said if alike else f"{name}: {said}" for name, said in wrong.items()):
            complain(words if str(photo) in words else f"{photo}: {words}")
        if len(readies) > 1:
            sheets.add(photo, made)
    return tally, sheets.close()


def _one(ready: PhotoExplainer, photo: Path, out: Path, inputs: Sequence[Path]) -> tuple[Explained | str, list[str]]:
    """(what was made of a photograph, or why nothing was; what is worth knowing)."""
    made: Explained | str
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = ready(photo, out, inputs)
        except (Exception, SystemExit) as error:
            made = sentence(error)
            if ready.device != "cpu" and no_memory(error):
                torch.cuda.empty_cache()
    return made, [*ready.remarks, *(" ".join(str(warning.message).split()) for warning in caught)]
