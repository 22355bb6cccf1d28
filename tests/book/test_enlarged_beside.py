"""Every table and chart of the evidence that rates methods says what the network still knows of enlarged images."""

import re

import pytest

from tools.chapters import by_number
from tools.ipynb import code_cells, source, tags, words_of

DRAWS = re.compile(r"hc\.table\(|charts\.intervals\(|\bchart\(|\bforest\(|plot\.Figure\(|\bwords\(")
# What rates no method: pieces of the cells of chapters.
OTHERS = {
    19: ("Sixteen drawings", "shapley(k)", "largest value of", "loses without glyph"),
    20: ("false_alarms(n)",),
    21: ("million F",),
    24: ('"planned": n', "Right on {right", 'photographs": n}'),
}


@pytest.mark.parametrize("number", OTHERS)
def test_scores_stand_beside_the_line(number):
    cells = [
        cell
        for cell in code_cells(by_number()[number].notebook)
        if DRAWS.search(source(cell)) and not {"exercise", "check", "solution"} & set(tags(cell))
    ]
    rating = [cell for cell in cells if not any(piece in source(cell) for piece in OTHERS[number])]
    assert len(rating) > 3
    for cell in rating:
        said = "".join(map(words_of, cell["outputs"]))
        if said or cell["outputs"]:
            assert re.search(r"At \d+ px, enlarged 1, 1\.5, 2, 3, 4 times, n = \d+", said), source(cell)[:200]
