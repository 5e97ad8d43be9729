"""Formulas as docstrings have them, ``out = sum_j W_ij D_qj / sum_j W_ij``, as LaTeX.

Names of one letter, Greek letters and a few words take subscripts (``s_ij``, ``mean_k``, ``out[i, j]``); other
names, settings and words stand upright. A quotient becomes a fraction: what stands before the slash in its product
over the next factor, or over the rest of the product where that is a sum. Words in a row are words, ``<-`` is an
assignment, a second ``|`` closes the first.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import pairwise

GREEK = ("alpha", "beta", "gamma", "epsilon", "mu", "sigma", "theta", "Phi")
NAMED = ("exp", "ln", "log", "max", "min", "sqrt")
SUBSCRIPTED = (*GREEK, "out", "mean", "core", "max", "sum", "cross", "all")  # words that may have a subscript
WORDS = ("in", "of", "the", "over", "its", "and", "row", "column", "largest", "smallest", "same", "maximise")
SIGNS = {
    "<-": r"\leftarrow", "<=": r"\le", ">=": r"\ge", "!=": r"\ne", "==": "=", "*": r"\,", "·": r"\cdot",
    "…": r"\dots", "+=": r"\mathrel{+}=", "#": r"\#", "%": r"\%",
}  # fmt: skip
POWERS = {"ᵀ": r"^{\top}", "'": r"^{\prime}", "²": "^{2}"}
PAIRS = {"(": ")", "[": "]", "{": "}"}
TOKEN = re.compile(
    r"\s+|(?P<owner>'s\b)|(?P<number>\d+(?:\.\d+)?)|(?P<sign><-|<=|>=|!=|==|\+=|[-+*/^=<>,.:;|()\[\]{}·…#%ᵀ²'])"
    r"|(?P<below>_[A-Za-z]{1,3}\b)|(?P<name>[A-Za-z](?:[A-Za-z0-9]|_(?=[A-Za-z0-9{]))*(?:(?<=_[a-z]),[a-z]\b)?_?)"
)
OPERATORS = re.compile(
    r"^exp\(|<-|<=|>=|!=|==| = |[\^²ᵀ·]| [-+*/<>] "
    r"|\bsum\b|\bsum_|\|.+\||^(?:[A-Za-z]|out|core|mean)_[A-Za-z]{1,2}$"
    r"|^[a-z](?:_[a-z])?\([a-z], [a-z]\)$"
)
CODE = re.compile(r'"|\w=\w|>>>|\b(?:None|True|False)\b|^\w+ = \d+$|\.\w+\(|[$]|!(?!=)|^cam\b')


class NoFormula(ValueError):
    """What stands there is code, or words."""


def is_formula(text: str, settings: Container[str] = ()) -> bool:
    """Whether a literal of a docstring is mathematics and not code; a setting alone is code."""
    if len(text) == 1:
        return text.isalpha() and text not in settings
    return bool(OPERATORS.search(text)) and not CODE.search(text)


def read(text: str, settings: Container[str] = ()) -> str | None:
    """A literal as LaTeX; None for code, and for what cannot be read."""
    if not is_formula(text, settings):
        return None
    try:
        return latex(text)
    except NoFormula:
        return None


def latex(text: str) -> str:
    """A formula as LaTeX. Raises NoFormula for what cannot be read as one."""
    reader = _Reader(list(_tokens(text)))
    found = reader.line(end=None)
    if reader.left:
        raise NoFormula(f"{text}: cannot read on at {reader.left[0].text!r}")
    return found


@dataclass(frozen=True)
class _Token:
    """A piece of a formula, and whether it follows the one before it without a space."""

    kind: str
    text: str
    close: bool


def _tokens(text: str) -> Iterator[_Token]:
    place, close = 0, False
    while place < len(text):
        found = TOKEN.match(text, place)
        if not found:
            raise NoFormula(f"{text}: cannot read {text[place]!r}")
        place = found.end()
        if found.lastgroup:
            yield _Token(found.lastgroup, found[0], close)
        close = bool(found.lastgroup)


@dataclass
class _Reader:
    """Tokens that are left, read from the front."""

    left: list[_Token]

    def peek(self) -> str:
        return self.left[0].text if self.left else ""

    def take(self) -> str:
        return self.left.pop(0).text

    def line(self, end: str | None) -> str:
        """Products with signs between them, up to the bracket that ends them."""
        parts: list[str] = []
        while self.left and self.peek() != end:
            if self.peek() in ")]}":
                raise NoFormula(f"cannot read on at {self.peek()!r}")
            if self.left[0].kind == "sign" and self.peek() not in ("(", "[", "{", "|", "/", "^", "*", "·", "#"):
                sign = self.take()
                parts.append({**SIGNS, "/": "/"}.get(sign, sign))
            else:
                product = self.product(end)
                if not product:
                    raise NoFormula(f"cannot read on at {self.peek()!r}")
                parts.append(product)
        return " ".join(parts)

    def product(self, end: str | None) -> str:
        """Factors side by side; a slash puts those before it over the next one."""
        done: list[str] = []  # up to the last ``*``
        factors: list[str] = []
        while self.left and self.peek() != end:
            sign = self.peek() if self.left[0].kind == "sign" else ""
            if sign == "/":
                self.take()
                sums = self.peek().startswith("sum")
                below = self.product(end) if sums else self.factor(end)
                lead = [] if sums else [one for one in factors[:1] if one.startswith(r"\sum")]
                if not factors[len(lead) :] or not below:
                    raise NoFormula("a quotient of nothing")
                factors = [*lead, rf"\frac{{{_bare(factors[len(lead) :])}}}{{{_bare([below])}}}"]
            elif sign == "*":
                self.take()
                done, factors = [*done, *factors, r"\,"], []
            elif sign == "·" or (sign == "." and factors and len(self.left) > 1):  # an inner product
                self.take()
                factors.append(r"\cdot")
            elif sign and sign not in ("(", "[", "{", "|", "#"):
                break
            else:
                factors.append(self.factor(end))
        return _side_by_side([*done, *factors])

    def factor(self, end: str | None) -> str:
        """A number, a name, a bracket, with powers and subscripts."""
        if not self.left:
            raise NoFormula("nothing where a factor should stand")
        kind, text = self.left[0].kind, self.peek()
        if kind == "name":
            found = self.words() or self.name(end)
        elif kind == "number":
            found = self.take()
        elif text in PAIRS:
            self.take()
            found = rf"\left{_shown(text)} {self.inside(PAIRS[text])} \right{_shown(PAIRS[text])}"
        elif text == "|" and not self.closes():  # a condition: P(same | D)
            self.take()
            return r"\mid"
        elif text == "|":
            self.take()
            found = rf"\left| {self.inside('|')} \right|"
        elif text in ("#", "-"):
            found = SIGNS.get(self.take(), "-") + self.factor(end)
        else:
            raise NoFormula(f"cannot read on at {text!r}")
        return self.powers(found, end)

    def closes(self) -> bool:
        """Whether the bar that is next has another one before the bracket ends in which it stands."""
        depth = 0
        for one in self.left[1:]:
            depth += (one.text in PAIRS) - (one.text in PAIRS.values())
            if depth < 0:
                return False
            if one.text == "|" and depth == 0:
                return True
        return False

    def inside(self, close: str) -> str:
        """Up to the sign that closes, which is taken too."""
        found = self.line(close)
        if self.peek() != close:
            raise NoFormula(f"no {close} where one should stand")
        self.take()
        return found

    def words(self) -> str:
        """Names one after the other of which one is a word of a sentence; "" if there are no such."""
        count = 0
        while count < len(self.left) and self.left[count].kind in ("name", "owner"):
            if self.left[count].text.startswith("sum_"):
                break
            count += 1
        after = self.left[count : count + 1]
        if count and after and after[0].text == "(" and after[0].close:  # a function, not a word
            count -= 1
        run = self.left[:count]
        if not any(one.text in WORDS for one in run) or (run[0].text in NAMED and run[1].text not in WORDS):
            return ""
        if len(run) in (2, 3) and run[1].text == "in":  # an element of a set
            first, _ = self.take(), self.take()
            return rf"{_symbol(first)} \in {self.name(None)}"
        self.left = self.left[count:]
        said = "".join(one.text if one.close and one.kind == "owner" else f" {one.text}" for one in run).strip()
        return rf"\text{{ {said} }}".replace("_", r"\_")

    def powers(self, found: str, end: str | None) -> str:
        """A factor with what is written at it: ``[i, j]`` below, powers above."""
        if self.peek() == "[" and self.left[0].close:
            self.take()
            found = rf"{found}_{{{self.inside(']')}}}"
        if self.left and self.left[0].kind == "below" and self.left[0].close:
            found = rf"{found}_{{{self.take()[1:]}}}"
        raised = ""
        while self.left and self.peek() in (*POWERS, "^"):
            sign = self.take()
            if sign != "^":
                raised += POWERS[sign][2:-1]
                continue
            minus = "-" if self.peek() == "-" and self.take() else ""
            raised += minus + _bare([self.factor(end)])
        return f"{found}^{{{raised}}}" if raised else found

    def name(self, end: str | None) -> str:
        """A symbol with its subscript, or a function."""
        text = self.take()
        base, _, below = text.partition("_")
        if base == "sum":
            return r"\sum" + (f"_{{{self.below(below)}}}" if "_" in text else "")
        if "_" in text and (len(base) == 1 or base in SUBSCRIPTED) and (len(below) <= 3 or below in SUBSCRIPTED):
            return f"{_symbol(base)}_{{{self.below(below)}}}"
        if self.peek() == "(" and text == "sqrt":
            self.take()
            return rf"\sqrt{{{self.inside(')')}}}"
        if text in NAMED and self.left and self.left[0].kind == "name":
            return f"{_symbol(text)} {self.factor(end)}"
        return _symbol(text)

    def below(self, text: str) -> str:
        """What stands below a name: letters, a word, or the condition in the braces that follow."""
        if text:
            return rf"\mathrm{{{text}}}" if text in SUBSCRIPTED else text
        if self.peek() != "{":
            raise NoFormula("an empty subscript")
        self.take()
        return self.inside("}")


def _symbol(text: str) -> str:
    if text in GREEK:
        return "\\" + text
    if text in NAMED:
        return "\\" + text
    if len(text) == 1:
        return text
    if re.fullmatch(r"[A-Za-z]\d", text):
        return f"{text[0]}_{text[1]}"
    if re.fullmatch(r"[A-Z]{2}", text):  # two matrices
        return text
    return r"\mathrm{" + text.replace("_", r"\_") + "}"


def _side_by_side(factors: list[str]) -> str:
    """Factors with a little space where one is a word."""
    spaced = factors[:1]
    for before, after in pairwise(factors):
        word = (before.endswith("}") and r"\mathrm{" in before[-30:]) or after.startswith(r"\mathrm{")
        apart = word and r"\," not in (before, after) and not after.startswith(r"\left")
        spaced += [r"\,", after] if apart else [after]
    return " ".join(spaced)


def _bare(parts: list[str]) -> str:
    """Without the bracket around all of it, which a fraction or a power does not need."""
    text = " ".join(parts)
    found = re.fullmatch(r"\\left\( (.*) \\right\)", text) if len(parts) == 1 else None
    return found[1] if found and _balanced(found[1]) else text


def _balanced(text: str) -> bool:
    depth = 0
    for sign in re.findall(r"\\left|\\right", text):
        depth += 1 if sign == r"\left" else -1
        if depth < 0:
            return False
    return depth == 0


def _shown(sign: str) -> str:
    return "\\" + sign if sign in "{}" else sign
