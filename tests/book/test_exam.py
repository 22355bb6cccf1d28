"""The exam: twenty questions on the whole book, answers that are right, and nowhere but with the lecturer."""

import json
import math
import re

import pytest
import torch

import holicam as hc
from tools import editions, exam
from tools.assignments.draws import draw
from tools.chapters import REFERENCE, load
from tools.editions import student
from tools.exam import ANSWERS, HEADING, QUESTIONS, bank, sections
from tools.ipynb import ROOT

ASKED, ANSWERED = sections(QUESTIONS), sections(ANSWERS)


def test_twenty_questions_of_four_kinds():
    assert list(ASKED) == list(ANSWERED) == list(range(1, 21))
    assert [title for title, _ in ASKED.values()] == [title for title, _ in ANSWERED.values()]
    about = [exam.ABOUT.match(body).groups() for _, body in ASKED.values()]
    kinds = [(kind, minutes) for kind, _, minutes, _ in about]
    assert all(
        sum(kind in said.lower() for said, _ in kinds) >= 3
        for kind in ("derivation", "by hand", "reading", "judgement")
    )
    assert all(10 <= int(minutes) <= 20 for _, minutes in kinds)
    assert all(minutes == points for _, _, minutes, points in about), "one point is one minute"
    assert {level for _, level, _, _ in about} == {"1", "2", "3"}


def test_every_chapter_of_methods_and_metrics_is_asked_about():
    asked = {label for _, body in ASKED.values() for label in REFERENCE.findall(body)}
    assert {c.label for c in load() if c.number <= 19} <= asked


@pytest.mark.parametrize("number", range(1, 21))
def test_every_part_has_an_answer(number):
    parts = re.findall(r"^\d\. ", ASKED[number][1], re.MULTILINE)
    assert re.findall(r"^\d\. ", ANSWERED[number][1], re.MULTILINE) == parts and parts
    assert "**May be changed:**" in ANSWERED[number][1]


def lines(text: str) -> set[str]:
    """The lines that give an answer away: long enough to be nobody else's."""
    return {line.strip() for line in text.splitlines() if len(line.strip()) > 40}


def test_answers_are_with_the_lecturer_only():
    """Not on the site's pages, not in the students' edition; a built site is looked at as well."""
    secret = lines("\n".join(body for _, body in ANSWERED.values()))
    assert secret <= lines(bank())
    public = [p.read_text(encoding="utf-8") for p in (ROOT / "book").glob("*.md")]
    editions = [student(json.loads(p.read_text(encoding="utf-8"))) for p in (ROOT / "book").glob("*.ipynb")]
    public += ["\n".join("".join(cell["source"]) for cell in edition["cells"]) for edition in editions]
    assert not [line for line in secret for text in public if line in text]
    assert "teaching/exam-answers" not in (ROOT / "_toc.yml").read_text(encoding="utf-8")
    words = [w for line in secret for w in re.findall(r"[A-Z][a-z]+(?: [a-z,]+){7,}", line)]
    assert len(words) > 20
    for page in (ROOT / "_build" / "html").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not [w for w in words if w in text], f"{page.name} gives an answer away"


@pytest.mark.parametrize("edition", ["student", "lecturer"])
def test_editions_on_disk(edition, tmp_path, monkeypatch):
    """The lecturer's folder holds exam and notes, the students' holds no answer in any of its files."""
    monkeypatch.setattr(editions, "wheel", lambda folder, *_, **__: folder / "holicam-0-py3-none-any.whl")
    editions.write(edition, tmp_path / edition)
    folder = tmp_path / edition
    others = {path.name for path in folder.iterdir() if path.suffix != ".ipynb"}
    more = {"exam-with-answers.md", "exam.md", "lecturers-notes.md"} if edition == "lecturer" else set()
    assert others == {"README.md", "requirements.txt", "packages"} | more
    assert "./packages/holicam-0-py3-none-any.whl" in (folder / "requirements.txt").read_text(encoding="utf-8")
    said = "\n".join(path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file())
    secret = lines("\n".join(body for _, body in ANSWERED.values()))
    assert sum(line in said for line in secret) == (len(secret) if edition == "lecturer" else 0)
    assert not re.search(r"\{(?:ref|eq|numref|cite:[tp])\}`|figures/", said)
    solutions = said.count("<summary>Solution</summary>"), said.count(".trial(")
    assert (min(solutions) >= 69) if edition == "lecturer" else solutions == (0, 0)
    assert said.count("<details open>") == (solutions[0] if edition == "lecturer" else 0)


def test_a_question_without_an_answer_is_found(tmp_path, monkeypatch):
    short = tmp_path / "answers.md"
    short.write_text(ANSWERS.read_text(encoding="utf-8").partition("## 20.")[0], encoding="utf-8")
    monkeypatch.setattr(exam, "ANSWERS", short)
    with pytest.raises(ValueError, match="same numbers"):
        bank()


def grid(*rows):
    return torch.tensor([[rows]], dtype=torch.float64)


def says(number: int, *values: str) -> None:
    missing = [v for v in values if v not in ANSWERED[number][1]]
    assert not missing, f"answer {number} does not say {missing}"


def test_answer_2_weights_by_hand():
    A, G = grid([3.0, 0], [1, 0]), grid([1.0, -2], [0.5, 1])
    for scale, grad, plus in ((1, 1 / 8, 11 / 24), (10, 1.25, 0.703)):
        assert math.isclose(hc.cam.grad_cam(A, scale * G).item(), grad)
        assert math.isclose(hc.cam.grad_cam_pp(A, scale * G, eps=0).item(), plus, abs_tol=5e-4)
    says(2, "1/8", "11/24", "1.25", "0.703", "lower right")


def test_answer_4_variance_without_loss():
    G = torch.tensor([11.0, -9, 11, -9])
    assert math.isclose(G.var(unbiased=False) / G.square().mean(), 100 / 101, rel_tol=1e-6)
    for A in (torch.ones(4), torch.tensor([1.0, 1, 3, 3])):
        assert (G * A).sum() == (G.mean() * A).sum()
    says(4, "100/101", "(1,1,3,3)")


def test_answer_5_three_laws():
    for g, said in ((1e-5, 1.0e-9), (0.02, 0.0091), (10, 0.098)):
        A = grid([5.0, 5.0])
        weight = hc.cam.pge(A, torch.full_like(A, g), eps=1e-6)[0, 0, 0, 0].item()
        assert math.isclose(weight, said, rel_tol=0.01)
    says(5, r"1.0\cdot10^{-9}", "0.0091", "0.098")


def test_answer_6_cross_terms():
    A, W = torch.tensor([0.0, 4]), torch.tensor([6.0, 2])
    product = A.mean() * W.mean()
    assert ((A * W).mean(), product, product - (A * W).sum() / 4) == (4, 8, 6)
    says(6, "cross terms 6", r"4\cdot2=8", "covariance is $-4$", "56")


def test_answer_7_the_sign_trap():
    m = torch.full((1, 224, 224), -2.0)
    m[:, 90:134, 90:134] = 2
    m[:, 112, 112] = 6
    raw, stretched = (hc.lowpass.low_pass(m, 51, 91, clip=kind)[0, 0, 0].item() for kind in ("raw", True))
    assert math.isclose(raw, -2, abs_tol=1e-5) and abs(stretched) < 1e-5
    says(7, "Raw: $-2$", "Stretched: 0", "moves to 5")


def test_answer_9_covariance():
    A, G = grid([2.0, 2], [0, 0]), grid([1.0, 1], [-1, -1])
    assert hc.cam.grad_cam(A, G).item() == 0 and math.isclose(hc.cam.xgrad_cam(A, G).item(), 1, abs_tol=1e-6)
    says(9, "Grad-CAM 0, XGrad-CAM 1")


def test_answer_13_two_wheels():
    """RISE's limit by enumeration of the four masks."""
    for p, said in ((0.5, 0.25), (0.999, 0.0)):
        chance = {(a, b): (p if a else 1 - p) * (p if b else 1 - p) for a in (0, 1) for b in (0, 1)}
        mean = sum(c * max(m) for m, c in chance.items())
        both = sum(c * max(m) * m[0] for m, c in chance.items())
        assert math.isclose((both - p * mean) / p, said, abs_tol=1e-5)
    says(13, "$(1-p)^2$", "$1/4$", "$1/2$ each")


def test_answer_14_integrated_gradients():
    X = torch.tensor([3.0, 1], dtype=torch.float64)
    way = (torch.arange(1000) + 0.5)[:, None] / 1000 * X
    way.requires_grad_()
    (slopes,) = torch.autograd.grad((way[:, 0] - way[:, 1] - 1).relu().sum(), way)
    assert torch.allclose(X * slopes.mean(0), torch.tensor([1.5, -0.5], dtype=torch.float64))
    says(14, "(1.5,-0.5)", "(3,-1)")


def test_answer_15_four_pixels():
    curve = torch.tensor([0, 0.3, 0.8, 0.9, 1])
    area = torch.trapezoid(curve, dx=0.25).item()
    assert math.isclose(area, 0.625, rel_tol=1e-6)
    says(15, "=0.625", "$0.375$", "$0.25$")


def test_answers_17_and_18():
    f, low, high = 0.9, 0.3, 0.8
    assert math.isclose((high + low - 2 * f) / f, -0.78, abs_tol=5e-3)
    assert math.isclose((high - low) / f, 0.56, abs_tol=5e-3)
    says(17, "-0.78", "$0.25$", "$0.5$", "0.56")
    assert math.isclose(0.2 / (0.2 + 0.8 * 0.25), 0.5) and math.isclose(0.9**2 + 0.05, 0.86)
    says(18, "=0.5$", "0.86", "98 %")


# --- with a lecturer's numbers ---------------------------------------------------------------------


@pytest.mark.parametrize("number", exam.VARIED)
def test_a_seed_changes_the_numbers_and_nothing_else(number):
    parts = dict(exam.PART.findall(ASKED[number][1]))
    drawn = [exam.VARIED[number](draw(str(seed), f"exam {number}")) for seed in range(30)]
    assert len({str(new) for new in drawn}) >= 10
    assert all(set(map(str, new)) <= set(parts) for new in drawn)
    assert exam.VARIED[number](draw("3", f"exam {number}")) == drawn[3]


def test_the_bank_with_a_seed_is_whole():
    public, own = bank(), bank("a sentence")
    assert len(HEADING.findall(own)) == 20 and public != own
    asked = bank("a sentence", answers=False)
    assert "### Answer" not in asked and "**May be changed:**" not in asked
    for text in (public, own):
        for question in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
            said = int(exam.ABOUT.search(question)[4])
            assert sum(map(int, re.findall(r"\*\((\d+) points\)\*", question))) == said
    assert [exam.shares(10, n) for n in (3, 4, 5)] == [[3, 3, 4], [2, 2, 3, 3], [2] * 5]


@pytest.mark.parametrize("number", exam.VARIED)
def test_numbers_are_written_as_tex(number):
    """1e-05 is a program's number; in TeX it reads 1 times e, minus 5."""
    for seed in ("a sentence", *map(str, range(40))):
        said = str(exam.VARIED[number](draw(seed, f"exam {number}")))
        assert not re.search(r"\d+e[-+]?\d", said), said


def tex(number: str) -> float:
    """A number as `exam_numbers.share` writes it."""
    found = re.fullmatch(r"(-?)\\tfrac\{(\d+)\}\{(\d+)\}", number)
    value = int(found[2]) / int(found[3]) if found else float(number.lstrip("-"))
    return -value if number.startswith("-") else value


@pytest.mark.parametrize("seed", range(12))
def test_computed_answers_are_those_of_the_package(seed):
    """Question 2 by `hc.cam`, question 15 by the metric's rule, question 18 by the metrics themselves."""
    new = exam.VARIED[2](draw(str(seed), "exam 2"))
    A, G = (grid(*([tex(c) for c in row.split("&")] for row in m.split(r"\\")))
            for m in re.findall(r"begin\{pmatrix\}(.*?)\\end", new[1][0]))  # fmt: skip
    mean, plus = re.match(r"Grad-CAM: \$(.+?)\$.*w=.+\\approx([\d.]+)", new[1][1]).groups()
    assert math.isclose(hc.cam.grad_cam(A, G).item(), tex(mean), rel_tol=1e-9)
    assert math.isclose(hc.cam.grad_cam_pp(A, G, eps=0).item(), float(plus), rel_tol=5e-3)
    factor = int(re.search(r"multiplied by (\d+)", new[3][0])[1])
    assert math.isclose(
        hc.cam.grad_cam_pp(A, factor * G, eps=0).item(), float(re.search(r"approx([\d.]+)", new[3][1])[1]), rel_tol=5e-3
    )
    assert A[0, 0, 1, 1] == 0 < G[0, 0, 1, 1], "the dark cell of part 2"

    question, answer = exam.VARIED[15](draw(str(seed), "exam 15"))[1]
    order = [float(v) for v in re.search(r"order ([\d., ]+)\.", question)[1].split(", ")]
    curve = torch.tensor([0, *torch.tensor(order).cumsum(0).tolist()])
    assert math.isclose(torch.trapezoid(curve, dx=0.25), float(re.search(r"area ([\d.]+)\.", answer)[1]), abs_tol=1e-6)

    question, answer = exam.VARIED[18](draw(str(seed), "exam 18"))[1]
    omega, part = re.search(r"omega=([\d.]+)\$ here.*1/(\d)\$", question).groups()
    mask = torch.arange(100) < round(100 * float(omega))
    M = torch.where(mask, 1.0, 1 / int(part)).view(1, 10, 10)
    energy = (M * mask.view(1, 10, 10)).sum() / M.sum()
    assert math.isclose(energy.item(), float(re.search(r"EPG\}\}?=([\d.]+)", answer)[1]), abs_tol=1e-3)
