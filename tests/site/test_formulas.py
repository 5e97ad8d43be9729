"""Formulas of docstrings become LaTeX that says the same."""

import inspect
import re

import pytest

import postproc
from docs.site import formulas
from ensemble import fusion

LITERAL = re.compile(r"``(.+?)``", re.S)
BY_HAND = {
    "out_qi = sum_j W_ij D_qj / sum_j W_ij": r"\mathrm{out}_{qi} = \frac{\sum_{j} W_{ij} D_{qj}}{\sum_{j} W_{ij}}",
    "sum 1 / (offset + r)": r"\sum \frac{1}{\mathrm{offset} + r}",
    "a * b / (c d)": r"a \, \frac{b}{c d}",
    "x <- (1 - rate) x": r"x \leftarrow \left( 1 - \mathrm{rate} \right) x",
    "A_q . A_g": r"A_{q} \cdot A_{g}",
    "(I - alpha S)^-1 y": r"\left( I - \alpha S \right)^{-1} y",
    "E[i, j] = D[i, j] - (r_i + r_j) / 2": r"E_{i , j} = D_{i , j} - \frac{r_{i} + r_{j}}{2}",
    "|q - g|^2": r"\left| q - g \right|^{2}",
    "sum_{e in E(q)} r(e, g)": r"\sum_{e \in E \left( q \right)} r \left( e , g \right)",
    "p / (the largest of image i)": r"\frac{p}{\text{ the largest of image i }}",
    "(E E')_ij / r": r"\frac{\left( E E^{\prime} \right)_{ij}}{r}",
    "P_m(same | D_m)": r"P_{m} \left( \text{ same } \mid D_{m} \right)",
    "max(V_q,t, V_g,t)": r"\max \left( V_{q,t} , V_{g,t} \right)",
}


@pytest.mark.parametrize("text", BY_HAND)
def test_by_hand(text: str) -> None:
    assert formulas.latex(text) == BY_HAND[text]


@pytest.mark.parametrize("text", ["(a + b", "a ) b", "a / / b", "a ; $", "sum_{j"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(formulas.NoFormula):
        formulas.latex(text)


@pytest.mark.parametrize(
    "text", ["k1=70, k2=10", 'metric="dot"', "power = 2", "rerank", "top_k", "lists.k", "Pairwise"]
)
def test_code_is_no_formula(text: str) -> None:
    assert not formulas.is_formula(text)


def test_a_setting_alone_is_code() -> None:
    assert formulas.is_formula("p")
    assert not formulas.is_formula("k", settings={"k"})


def test_every_formula_of_a_step_and_a_join_can_be_read() -> None:
    unread = []
    for function in (*postproc.STEPS, *fusion.JOINS):
        for literal in LITERAL.findall(inspect.getdoc(function) or ""):
            text = " ".join(literal.split())
            if formulas.is_formula(text):
                try:
                    found = formulas.latex(text)
                except formulas.NoFormula as error:
                    unread.append(f"{function.__name__}: {error}")
                else:
                    assert found.count("{") == found.count("}"), text
                    assert len(re.findall(r"\\left\W", found)) == len(re.findall(r"\\right\W", found)), text
    assert not unread
