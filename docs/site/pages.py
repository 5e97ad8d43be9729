"""Pages that are made from what stands at the code: a page a technique, the reference, gains and losses."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import ensemble
import postproc
from docs.site import gains
from docs.site.docstrings import Block, Links, blocks, body, inline, rendered
from ensemble import fusion
from ensemble.pipeline import guide, joins
from ensemble.pipeline.steps import Step, describe
from postproc.base.settings import Setting
from postproc.base.sizes import Sizes

ROOT = Path(__file__).parents[2]
SIZES = {  # sets whose sizes everybody knows: queries, gallery
    "VeRi-776": (1678, 11579),
    "AI City 2020": (1052, 18290),
    "Market-1501": (3368, 19732),
    "MSMT17": (11659, 82161),
}  # fmt: skip
WIDTH = 2048
SECONDS_NOTE = "Seconds that were measured are in :doc:`/bench/README`."
MEMORY_NOTE = (
    "Memory beside features and answer, as the step declares it: features of {width:,} values, {threads} threads, "
    "default settings{answer}."
)


def write(folder: Path, kept: list[dict[str, str]]) -> None:
    """All of these pages, as reStructuredText, in a folder."""
    steps = [describe(step) for step in postproc.STEPS]
    links = {
        **_public("ensemble", ensemble),
        **_public("ensemble.fusion", fusion),
        **_public("postproc", postproc),
    }
    (folder / "techniques").mkdir(parents=True)
    (folder / "reference").mkdir()
    for step in steps:
        _write(folder / "techniques" / f"{step.name}.rst", technique(step, links, gains.of(kept, step.name)))
    _write(folder / "techniques" / "index.rst", gains.index(_families(steps), kept))
    _write(folder / "techniques" / "joins.rst", all_joins(links))
    others = [name for name in postproc.__all__ if name not in {step.name for step in steps}]
    _write(folder / "reference" / "postproc.rst", module("postproc", postproc, others, links, POSTPROC))
    _write(folder / "reference" / "ensemble.rst", module("ensemble", ensemble, ensemble.__all__, links, ENSEMBLE))


POSTPROC = (
    "What ``import postproc`` gives beside the steps, which have :doc:`a page each </techniques/index>`: "
    "neighbour lists and pairwise distances as values, galleries that answer one query at a time, and functions "
    "that steps are made of."
)
ENSEMBLE = "What ``import ensemble`` gives: what the commands do, on folders and on arrays in memory."


def _write(path: Path, lines: Iterator[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _public(package: str, module: Any) -> dict[str, str]:
    return {name: f"{package}.{name}" for name in module.__all__ if callable(getattr(module, name))}


def _families(steps: list[Step]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(step.family, []).append(step)
    return found


def technique(step: Step, pages: Mapping[str, str], measured: list[dict[str, str]]) -> Iterator[str]:
    """The page of a step."""
    links = Links(pages, step.settings)
    parameters = list(inspect.signature(step.function).parameters)
    found = list(blocks(inspect.getdoc(step.function) or "", parameters))
    entries = {block.title: block for block in found if block.kind == "entry"}
    yield from title(step.name, "=")
    yield from declared(f"postproc.{step.name}", step.function, inline(step.summary, links))
    yield from _at_a_glance(step)
    yield from title("What it computes", "-")
    lead, after = _around_entries(found)
    yield from rendered([*_without_summary(lead), *(one for one in after if one.kind != "example")], links)
    yield from title("In and out", "-")
    yield from rendered(
        [entries[name] for name in entries if name.startswith(("Takes", "Returns", "Gives"))], links
    )
    yield from rendered([entries["Raises"]] if "Raises" in entries else [], links)
    yield from _settings(step, entries, links)
    yield from title("What it costs", "-")
    yield from _cost(step, entries, links)
    yield from title("What it gains and loses", "-")
    yield from gains.section(measured)
    yield from title("Where it comes from", "-")
    yield from _source(step, entries, links)
    if any(block.kind == "example" for block in found):
        yield from title("Example", "-")
        yield from rendered([block for block in found if block.kind == "example"], links)


def title(text: str, sign: str) -> Iterator[str]:
    yield from ("", text, sign * len(text), "")


def declared(name: str, function: Callable[..., Any], summary: str, kind: str = "function") -> Iterator[str]:
    """A function with its parameters, as something to link to."""
    yield from (f".. py:{kind}:: {name}{_signature(function)}", "", f"   {summary}", "")


def _signature(function: Callable[..., Any]) -> str:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ""
    plain = [one.replace(annotation=one.empty, default=_default(one.default)) for one in parameters]
    return str(inspect.Signature([one for one in plain if one.name != "self"]))


def _default(value: Any) -> Any:
    """A default that is no value but a mark, as ``<object …>``, is shown as an ellipsis."""
    return ... if "object at 0x" in repr(value) or inspect.isfunction(value) else value


def _around_entries(found: list[Block]) -> tuple[list[Block], list[Block]]:
    at = next((place for place, block in enumerate(found) if block.kind == "entry"), len(found))
    return found[:at], [block for block in found[at:] if block.kind != "entry"]


def _without_summary(lead: list[Block]) -> list[Block]:
    return lead[1:] if lead and len(lead[0].lines) == 1 else lead


def _at_a_glance(step: Step) -> Iterator[str]:
    unit = step.unit({}) if "distances" in step.gives else ""
    gives = ", ".join(f"``{one}``" for one in step.gives)
    unit = "in a unit of its own" if unit.startswith("values of") else unit or "in the unit it finds"
    rows = {
        "family": step.family,
        "needs": ", ".join(f"``{one}``" for one in step.needs),
        "may use": ", ".join(f"``{one}``" for one in step.may_use) or "nothing else",
        "gives": gives + (f" ({unit})" if "distances" in step.gives else ""),
        "CUDA tensors": "refused in a sentence" if step.host_only else "taken, and given back",
        "in a recipe": f"``{{ use = \"{step.name}\" }}``",
        "code": f"``{_file(step.function)}``",
    }  # fmt: skip
    yield from (".. list-table::", "   :class: glance", "   :widths: 20 80", "")
    for name, said in rows.items():
        yield from (f"   * - {name}", f"     - {said}")


def _file(function: Callable[..., Any]) -> str:
    return str(Path(inspect.getsourcefile(inspect.unwrap(function)) or "").relative_to(ROOT))


def _settings(step: Step, entries: Mapping[str, Block], links: Links) -> Iterator[str]:
    if not step.settings:
        return
    yield from title("Settings", "-")
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 18 14 22 46", "")
    yield from ("   * - setting", "     - default", "     - range", "     - meaning")
    for setting in step.settings.values():
        yield f"   * - ``{setting.name}``"
        yield f"     - ``{_shown(setting.default)}``"
        yield f"     - {_range(setting)}"
        own = next((block for name, block in entries.items() if setting.name in name.split(", ")), None)
        lines = list(body(own.lines, links)) if own and "as there" not in own.lines[0] else []
        if not lines:
            lines = [inline(guide.meaning(step.function, setting.name), links) or "\\"]
        yield f"     - {lines[0]}"
        yield from (f"       {line}" if line else "" for line in lines[1:])


def _shown(value: Any) -> str:
    return "none" if value is None else json.dumps(list(value) if isinstance(value, tuple) else value)


def _range(setting: Setting) -> str:
    said = setting.wanted() if setting.kind in ("switch", "choice") else guide.range_of(setting)
    said = inline(said.replace("1e+", "10^").replace("^0", "^"), Links({}))
    return (said or "\\") + (", or none" if setting.optional and said else "")


def _cost(step: Step, entries: Mapping[str, Block], links: Links) -> Iterator[str]:
    if "Cost" in entries:
        yield from ("", *body(entries["Cost"].lines, links), "")
    if step.clusters or not {"distances", "query", "gallery", "features"} & set(step.gives):
        return
    chosen = {"top_k": 100} if "top_k" in step.settings else {}
    answer = ", top_k = 100" if chosen else ""
    yield from ("", f"{MEMORY_NOTE.format(width=WIDTH, threads=2, answer=answer)} {SECONDS_NOTE}", "")
    yield from (".. list-table::", "   :header-rows: 1", "")
    yield from ("   * - set", "     - queries x gallery", "     - memory")
    for name, (nq, ng) in SIZES.items():
        sizes = Sizes(
            nq=nq, ng=ng, train=ng, width=WIDTH, aux=256, tracks=ng // 20, threads=2, given=frozenset(step.needs)
        )
        yield from (f"   * - {name}", f"     - {nq:,} x {ng:,}", f"     - {_bytes(step.memory(sizes, chosen))}")


def _bytes(count: int) -> str:
    if count < 1e6:
        return "less than 1 MB"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _source(step: Step, entries: Mapping[str, Block], links: Links) -> Iterator[str]:
    yield from rendered(list(blocks(inspect.getmodule(step.function).__doc__ or "", ())), links)
    if "Differs" in entries:
        yield from (
            "",
            "Where it differs from released code: " + "\n".join(body(entries["Differs"].lines, links)),
            "",
        )


def all_joins(pages: Mapping[str, str]) -> Iterator[str]:
    """One page for the joins of models."""
    yield from title("Joins", "=")
    yield "Several models, branches or old submissions become one. A join is named in a recipe,"
    yield '``join = { use = "weighted_sum" }``, and is a function of ``ensemble.fusion``.'
    yield "Below the joins stand the functions that they are made of."
    names = joins.names()
    for name in (*names, *(each for each in fusion.__all__ if each not in names)):
        value = getattr(fusion, name)
        if callable(value):
            yield from title(name, "-")
            yield from member(f"ensemble.fusion.{name}", value, pages)


def module(name: str, of: Any, names: list[str], pages: Mapping[str, str], about: str) -> Iterator[str]:
    """The public functions and classes of a package."""
    yield from title(name, "=")
    yield about
    for each in names:
        value = getattr(of, each)
        if inspect.ismodule(value):  # a command that can be called
            where, _, function = value._function.partition(":")
            value = getattr(import_module(where), function)
        if callable(value):
            yield from title(each, "-")
            yield from member(f"{name}.{each}", value, pages)


def member(name: str, value: Any, pages: Mapping[str, str]) -> Iterator[str]:
    """A function, or a class with its public methods."""
    kind = "class" if inspect.isclass(value) else "function"
    yield from (f".. py:{kind}:: {name}{_signature(value)}", "")
    yield from (f"   {line}" for line in _text(value, pages))
    if kind == "class":
        for each, method in vars(value).items():
            method = method.__func__ if isinstance(method, (classmethod, staticmethod)) else method
            shown = not each.startswith("_") and inspect.getdoc(method)
            if shown and (inspect.isfunction(method) or isinstance(method, property)):
                what, signature = (
                    ("method", _signature(method)) if inspect.isfunction(method) else ("property", "")
                )
                yield from ("", f"   .. py:{what}:: {each}{signature}", "")
                yield from (f"      {line}" for line in _text(method, pages))
    yield ""


def _text(value: Any, pages: Mapping[str, str]) -> Iterator[str]:
    try:
        names = list(inspect.signature(value).parameters)
    except (TypeError, ValueError):
        names = []
    names += [*getattr(value, "__annotations__", {}), *getattr(value, "_fields", ()), "labels"]
    yield from rendered(list(blocks(inspect.getdoc(value) or "", names)), Links(pages, names))
