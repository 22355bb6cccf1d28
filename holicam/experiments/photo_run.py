"""Every photograph by every explainer: what fails is said and passed over."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ..models.files import prepare_folder
from .contact_sheet import ContactSheets
from .explain_photos import Explained, PhotoExplainer
from .said import no_memory, sentence


def explain_photos(
    readies: Sequence[PhotoExplainer],
    photos: Sequence[Path],
    out: Path,
    report: Callable[[Explained], None],
    complain: Callable[[str], None],
    remark: Callable[[str], None] = lambda words: None,
    *,
    inputs: Sequence[Path] | None = None,
) -> tuple[int, list[Path]]:
    """Explain every file by every explainer; what fails, for whatever reason, is named to `complain` and passed over.

    Args:
        photos: may be any iterable, such as a progress bar; `inputs` are then the files, none of which is written over.
        remark: hears once of each thing worth knowing.

    Returns how many photographs failed, by one explainer or more, and the contact sheets, which several explainers
    have. Raises OutputError for a folder that cannot be written to.
    """
    inputs = list(photos) if inputs is None else inputs
    prepare_folder(out)
    failed, heard = 0, set()
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
        failed += bool(wrong)
        alike = len(readies) == 1 or (len(wrong) == len(readies) and len(set(wrong.values())) == 1)
        for words in dict.fromkeys(said if alike else f"{name}: {said}" for name, said in wrong.items()):
            complain(words if str(photo) in words else f"{photo}: {words}")
        if len(readies) > 1:
            sheets.add(photo, made)
    return failed, sheets.close()


def _one(ready: PhotoExplainer, photo: Path, out: Path, inputs: Sequence[Path]) -> tuple[Explained | str, list[str]]:
    """(what was made of a photograph, or why nothing was; what is worth knowing)."""
    made: Explained | str
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = ready(photo, out, inputs)
        except Exception as error:
            made = sentence(error)
            if ready.device != "cpu" and no_memory(error):
                torch.cuda.empty_cache()
    return made, [*ready.remarks, *(" ".join(str(warning.message).split()) for warning in caught)]
