"""Where cells of tables and lines of text may break, and what keeps together."""

from types import SimpleNamespace

from docutils import nodes
from docutils.utils import new_document

from tools.site_cells import breakable, cells
from tools.site_reading import keep_together


def test_names_break_behind_their_joints_and_nowhere_else():
    assert breakable("skip_mismatched") == "skip_<wbr>mismatched"
    assert breakable("hc.ops.normalise") == "hc.<wbr>ops.<wbr>normalise"
    assert breakable("ActivationSum") == "Activation<wbr>Sum"
    assert breakable("1.446") == "1.446" and breakable("bicubic") == "bicubic" and breakable("_x") == "_x"


def test_only_cells_are_marked():
    name = '<code><span class="pre">a_b</span></code>'
    assert cells(f"<p>{name}</p>") == f"<p>{name}</p>"
    assert cells(f"<td><p>{name}</p></td>") == f"<td><p>{name.replace('a_b', 'a_<wbr>b')}</p></td>"


def test_intervals_and_counts_keep_together():
    marked = cells("<td>+0.14 [+0.019, +0.261]</td><td>12 of 250</td><td>+0.4</td>")
    assert '+0.14 <span class="together">[+0.019, +0.261]</span>' in marked
    assert '<span class="together">12 of 250</span>' in marked and "<td>+0.4</td>" in marked
    assert cells("<td>0.06 ± 0.05</td>") == '<td><span class="together">0.06 ± 0.05</span></td>'


def test_formulas_are_left_alone():
    formula = r'<td><span class="math notranslate">\([0, 1]\)</span></td>'
    assert cells(formula) == formula


def test_numbers_of_the_text_keep_their_units_and_code_is_left_alone():
    page, paragraph = new_document(""), nodes.paragraph()
    paragraph += [nodes.Text("84 % cost 12 F, see Fig. 3, a % b; "), nodes.literal("", "84 %"), nodes.math("", "3 F")]
    page += paragraph
    app = SimpleNamespace(builder=SimpleNamespace(format="html"))
    keep_together(app, page, "page")
    assert (
        page.astext() == "84\N{NO-BREAK SPACE}% cost 12\N{NO-BREAK SPACE}F, see Fig.\N{NO-BREAK SPACE}3, a % b; 84 %3 F"
    )
