"""The laws that every step keeps, whatever it computes."""

import inspect
import itertools
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from postproc.base import machine
from postproc.base.runtime import current, using, within
from postproc.base.settings import Setting
from postproc.base.step import KEPT, range_of, unit_of
from postproc.base.vocabulary import VOCABULARY
from postproc.testing.memory import excess
from postproc.testing.neighbours import neighbour_lists
from postproc.testing.one_set import one_set
from postproc.testing.subject import LABELS, Settings, Subject, bits, difference
from postproc.testing.worlds import World, known, pick, small, world

ROUNDING = 1e-6  # of the largest value
SETS = {"nq": "queries", "ng": "gallery", "features": "images", "train": "training set"}


def check_step(
    function: Callable[..., Any],
    *,
    data: Mapping[str, np.ndarray] | None = None,
    values: Mapping[str, Any] | None = None,
    beside: Mapping[str, Settings] | None = None,
    spare: Mapping[int, Collection[str]] | None = None,
    any_width: bool = False,
) -> None:
    """Try the laws on a step, with every setting at its default and at another value.

    function: the step; data, settings and results are read off its signature.
    data:     arrays in the place of those of :func:`postproc.testing.small`, of the same images or of others.
    values:   another value of a setting, where those tried (next to the default, the ends of the range) change
              nothing in a world this small, or where there is no telling from the declaration.
    beside:   of a setting or of data: the settings beside which they matter. What matters beside one other setting
              is found without.
    spare:    law number -> settings whose other values it leaves alone.
    any_width: features come back with as many numbers an image as it turns out.
    Raises:   AssertionError that lists the laws that are broken: "law 2, the result shuffles with its input:
              csls(k=11): …", the first case of each.
    Cost:     some hundred calls for every setting.
    """
    subject = Subject(function, {**small(), **(data or {})}, values or {}, beside or {}, any_width)
    subject.larger = subject.data if data else several_blocks()
    broken, first = [], None
    for number, text, law in LAWS:
        subject.left_alone, subject.tried = (spare or {}).get(number, ()), None
        try:
            with using(threads=1):  # most time would go into handing little data to threads; law 4 has more
                law(subject)
        except Exception as error:
            first = first or error
            what = str(error) if isinstance(error, Broken) else f"raised {type(error).__name__}: {error}"
            broken.append(f"law {number}, {text}: {subject.said()}: {what}")
            if number == 10:
                break  # no step at all
    if broken:
        raise AssertionError("\n".join(broken)) from first


class Broken(Exception):
    """What was found in the place of what a law wants."""


def must(true: object, otherwise: str) -> None:
    if not true:
        raise Broken(otherwise)


@cache
def several_blocks() -> World:
    """More images than one block or tile holds where memory is scarce."""
    return known(world(nq=60, ng=500, people=60))


def the_signature_says_it(step: Subject) -> None:
    parameters = inspect.signature(step.function).parameters.values()
    for p in parameters:
        must(
            p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY),
            f"{p.name}: wanted data by name or a setting after *, got a parameter that is {p.kind.description}",
        )
    for name in step.inputs:
        must(
            name in VOCABULARY,
            f"{name}: wanted a name of the vocabulary: {', '.join(VOCABULARY)}"
            + (" (identities are for scoring)" if name in ("query_pid", "gallery_pid") else ""),
        )
    for name, setting in step.settings.items():
        must(setting.default is not inspect.Parameter.empty, f"{name}: wanted a default")
        must(
            setting.kind != "other" or setting.checked,
            f"{name}: wanted a kind of postproc.base.settings, or Checked, in its annotation",
        )
    must(step.returned, "wanted a return annotation of postproc.base.vocabulary")
    odd = step.returned - {"features", "query", "gallery", "distances", "ranking", "nearest", *LABELS}
    must(not odd, f"wanted a return annotation of postproc.base.vocabulary, got {', '.join(map(str, odd))}")


def inputs_are_untouched(step: Subject) -> None:
    for settings in step.variants():
        data = {name: array.copy() for name, array in step.data.items()}
        found = step(settings, data)
        for name in step.inputs:
            must(bits({name: data[name]}) == bits({name: step.data[name]}), f"{name} was written to")
        for array in data.values():
            array.flags.writeable = False
        must_be_same(step(settings, data), found, "read-only inputs")
    half = {name: array.astype(np.float16) for name, array in step.data.items() if array.dtype == np.float32}
    whole = {name: array for name, array in step.data.items() if name not in half}  # half: what every dtype holds
    plain = {name: array.astype(np.float32) for name, array in half.items()}
    wanted = step({}, plain | {name: array.astype(np.int64) for name, array in whole.items()})
    for dtype, layout in itertools.product((np.float64, np.float16), LAYOUTS):
        given = {name: array.astype(dtype) for name, array in half.items()}
        given |= {name: array.astype(np.int16) for name, array in whole.items()}
        found = step({}, {name: LAYOUTS[layout](array) for name, array in given.items()})
        must_be_same(found, wanted, f"{np.dtype(dtype)} inputs, {layout}")


def _sliced(array: np.ndarray) -> np.ndarray:
    spread = np.repeat(np.repeat(array, 2, axis=0), 3, axis=-1)
    return spread[::2, ::3] if spread.ndim == 2 else spread[::6]


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rows first": np.ascontiguousarray,
    "columns first": np.asfortranarray,
    "sliced": _sliced,
}


def the_result_shuffles(step: Subject) -> None:
    for settings in step.variants():
        before = step.usual(settings)
        for axis in sorted({axis for name in step.inputs for axis in VOCABULARY[name].axes} & SETS.keys()):
            order = np.random.default_rng(1).permutation(step.count(axis))
            after = step(settings, pick(step.data, **{axis: order}))
            queries = order if axis == "nq" else np.arange(step.count("nq"))
            what = SETS[axis]
            if "ranking" in before:  # rows get their old numbers back
                old = order if axis == "ng" else np.arange(step.count("ng"))
                must_rank_alike(
                    _with_numbers(old, after["ranking"]),
                    before["ranking"][queries],
                    step.far(settings),
                    queries,
                    what,
                )
            for name in before.keys() - {"ranking"}:
                one = {name: before[name]}
                wanted = before[name][queries] if name == "nearest" else pick(one, **{axis: order})[name]
                if name == "clusters" or (
                    name in LABELS and name not in step.inputs
                ):  # groups have no numbers of their own
                    must((_alike(after[name]) == _alike(wanted)).all(), f"with the {what} shuffled, other {name}")
                else:
                    must_be_near(after[name], wanted, f"with the {what} shuffled, {name}")


def _is_square(name: str) -> bool:
    """Whether data are about all pairs of one set."""
    axes = VOCABULARY[name].axes
    return len(axes) == 2 and axes[0] == axes[1]


def _with_numbers(old: np.ndarray, ranking: np.ndarray) -> np.ndarray:
    return np.where(ranking < 0, -1, old[ranking])


def must_rank_alike(
    found: np.ndarray, wanted: np.ndarray, far: np.ndarray | None, queries: np.ndarray, what: str
) -> None:
    """An image as near as another is as good."""
    must(found.shape == wanted.shape, f"with the {what} shuffled, a ranking of shape {found.shape}")
    if far is None:
        must((found == wanted).all(), f"with the {what} shuffled, another ranking")
        return
    far = np.concatenate([far[queries], np.full((len(queries), 1), np.inf, far.dtype)], axis=1)  # -1: none
    near = [np.take_along_axis(far, rows, axis=1) for rows in (found, wanted)]
    must_be_near(near[0], near[1], f"with the {what} shuffled, distances of the images ranked")
    tied = (near[0][:, :, None] == far[:, None, :]).sum(axis=2) > 1  # as the images of a track are
    must(((found == wanted) | tied).mean() > 0.8, f"with the {what} shuffled, another ranking")


def _alike(labels: np.ndarray) -> np.ndarray:
    """Which images have one label, and which have none."""
    return (labels[:, None] == labels) & (labels >= 0)


def type_and_shape(step: Subject) -> None:
    whole = step.count("nq"), step.count("ng")
    sizes = itertools.product(*(dict.fromkeys((count, 1, 0)) for count in whole))
    worlds = [(nq, ng, pick(step.data, nq=range(nq), ng=range(ng), features=range(ng))) for nq, ng in sizes]
    for settings in step.variants():
        if step.takes_infinity:
            far = "distances" if "distances" in step.inputs else "query_distances"
            never = step.data[far].copy()
            never[:, 1::3] = np.inf
            data = {**step.data, far: np.maximum(never, never.T) if _is_square(far) else never}
            _check_shapes(step, settings, data, step(settings, data), *whole)
        for nq, ng, data in worlds:
            try:
                found = step(settings, data)
            except ValueError as refusal:
                name = str(refusal).split(": wanted at least one image")[0]
                if name in step.inputs and not data[name].size:
                    continue
                raise
            _check_shapes(step, settings, data, found, nq, ng)


def _check_shapes(step: Subject, settings: Settings, data: World, found: World, nq: int, ng: int) -> None:
    where = f"with {nq} queries and {ng} gallery images, "
    k = min(settings.get("top_k") or ng, ng)
    sizes = {"nq": nq, "ng": ng, "features": ng}
    for name, array in found.items():
        kind: type = np.float32
        shape: tuple[int, ...] = nq, ng
        if name in ("ranking", "nearest"):
            kind, shape = np.int32 if name == "ranking" else np.float32, (nq, k)
        elif name in LABELS:
            kind, shape = np.int64, (sizes[VOCABULARY[name].axes[0]],)
        elif name != "distances":
            width = array.shape[1] if step.any_width and array.ndim == 2 else data[name].shape[1]
            shape = sizes[VOCABULARY[name].axes[0]], settings.get("components") or width
        got = f"{where}{name}: wanted {kind.__name__} {shape}, got {array.dtype} {array.shape}"
        must((array.dtype, array.shape) == (kind, shape), got)
        if name == "ranking":
            masked = (array < 0) & np.isinf(data.get("distances", 0)).any()
            none = np.isinf(found["nearest"]) if "nearest" in found else masked
            must((array[none] == -1).all(), f"{where}ranking: images at distance +inf are returned")
            for row, lacks in zip(array, none, strict=True):
                rows = row[~lacks].tolist()
                wrong = len(set(rows)) < len(rows) or not set(rows) <= set(range(ng))
                must(not wrong, f"{where}ranking: wanted every gallery row once at most, got {rows}")
        elif name not in LABELS:
            must((np.isfinite(array) | (array == np.inf)).all(), f"{where}{name}: found NaN or -inf")


def the_same_bits(step: Subject) -> None:
    for settings in step.variants():
        with using(threads=1):
            wanted = step(settings, step.larger)
        others = ((5, 1),) if settings else ((machine.threads(), None), (5, 1))
        for threads, memory in others:
            with using(threads=threads), within(replace(current(), memory=memory)):
                found = step(settings, step.larger)
            if bits(found) != bits(wanted):
                with using(threads=1):
                    again = step(settings, step.larger)
                must_be_same(again, wanted, "the second time")
                must_be_same(found, wanted, f"with {threads=}, {memory=} instead of one thread")


def the_neutral_setting(step: Subject) -> None:
    for name, setting in step.settings.items():
        for neutral in setting.neutral:
            found = step({name: neutral.value, **dict(neutral.beside)})
            for field, array in found.items():
                if field in step.data and (field != "distances" or unit_of(step.function, {}) == KEPT):
                    must_be_near(array, step.data[field], field)
                elif field == "distances" and step.plain():
                    must(any(map(_ranks_as(array), step.plain())), "ranks otherwise than the distance without it")


def _ranks_as(found: np.ndarray) -> Callable[[np.ndarray], bool]:
    """Whether another distance does not fall along the ranking by this one, but for rounding."""

    def check(plain: np.ndarray) -> bool:
        along = np.take_along_axis(plain, np.argsort(found, axis=1, kind="stable"), axis=1)
        return bool((np.diff(along, axis=1) >= -ROUNDING * max(1, abs(plain).max(initial=0))).all())

    return check


def copies_stay_together(step: Subject) -> None:
    nq, ng = step.count("nq"), step.count("ng")
    one, another = min(7, ng - 1), min(30, ng - 2)
    group, query = [one, ng, ng + 2], min(3, nq - 1)  # a gallery image and two copies of it; a query has one copy
    rows = [*range(ng), one, another, one]
    data = pick(step.data, ng=rows, features=rows, nq=[*range(nq), query])
    for settings in step.variants():
        found = step(settings, data)
        for name, array in found.items():
            if name in ("gallery", "features") or (name in LABELS and name.startswith("gallery")):
                must((array[group] == array[one]).all(), f"{name}: copies of an image differ")
            else:
                must((array[nq] == array[query]).all(), f"{name}: copies of a query differ")
            if name == "distances":
                must((array[:, group] == array[:, [one]]).all(), "distances: to copies of an image they differ")
        if "distances" in found:  # others as near may stand between copies
            alone = [not np.isin(np.delete(row, group), row[one]).any() for row in found["distances"]]
            found["ranking"] = ranked(found["distances"])[alone]
        for row in found.get("ranking", np.empty((0, 1))):
            places = np.flatnonzero(np.isin(row, group))
            must((np.diff(places) == 1).all(), f"ranking: copies stand apart, at places {places.tolist()}")


def zero_rows_give_no_nan(step: Subject) -> None:
    for settings in step.variants():
        never = {name: array == np.inf for name, array in step.usual(settings).items()}
        for zero in ([2], [0, 1, 2], slice(None)):
            data = {name: array.copy() for name, array in step.data.items()}
            for array in data.values():
                if array.dtype == np.float32:
                    array[zero] = 0
            for name in filter(_is_square, data):
                data[name][:, zero] = 0
            answer = step.usual(settings) if data is step.data else step(settings, data)
            for name, array in answer.items():
                must(not np.isnan(array).any(), f"{name}: found NaN where rows {zero} are 0")
                told = never[name] & (array > 0) if never[name].shape == array.shape else False
                odd = np.isinf(array) & ~np.asarray(told)
                must(not odd.any(), f"{name}: found infinity where rows {zero} are 0")


def bad_settings_are_refused(step: Subject) -> None:
    for name, setting in step.settings.items():
        for value in bad_values(setting):
            wanted = setting.wanted() and f"{setting.wanted()}, "
            message = rf"^{name}: wanted {re.escape(wanted) or '.*'}got {re.escape(repr(value))}$"
            _must_refuse(step, {name: value}, step.data, ValueError, message)
        for needs in setting.needs:
            lacking = {data for data in needs.data if data in step.optional}
            value = next(iter(step.others(name)), None) if setting.default is None else needs.when
            value = next(iter(step.others(name))) if not isinstance(needs.when, str) else value
            if lacking and needs.problem(name, value, set(step.inputs) - lacking):
                data = {given: array for given, array in step.data.items() if given not in lacking}
                _must_refuse(step, {name: value}, data, ValueError, rf"^{name}: .*needs ")
        value = step.others(name)[0]
        must_be_same(step({name: np.array([value])[0]}), step({name: value}), "a number of NumPy's")


def bad_values(setting: Setting) -> list[Any]:
    """What a setting of this kind can never be."""
    if setting.checked:
        wrong = [3, "no such word", (0,), (2.5, 3), (math.nan,), (True, 3), [], None, object]
        return [value for value in wrong if setting.checked.wrong(value)]
    never: list[Any] = [] if setting.optional else [None]
    if setting.kind == "switch":
        return ["yes", 1, *never]
    if setting.kind == "choice":
        return ["no such word", 3, ["cosine"], *never]
    if setting.whole:
        beyond: list[float] = [int(setting.low) - 1, -3] if setting.low > -3 else []
        return [*beyond, 2.5, math.nan, True, "3", *never]
    beyond = [
        end
        for end in (setting.low - max(1, abs(setting.low)), setting.high + max(1, setting.high))
        if math.isfinite(end)
    ]
    return [math.nan, math.inf, -math.inf, "0.3", True, *beyond, *never]


def bad_data_are_refused(step: Subject) -> None:
    for name in step.inputs:
        good = step.data[name]
        if good.dtype == np.float32:
            odd = [np.nan, -np.inf] + (
                [] if name.endswith("distances") and step.takes_infinity else [np.inf, 1e300]
            )
            spoilt = [np.where(good == good.flat[-1], value, good.astype(np.float64)) for value in odd]
            fewer = good[0] if good.ndim > 1 else good[:-1]  # a number alone would be a setting by place
            bad, strange = [*spoilt, fewer, good[None]], ["features.npy", good.astype(str), good + 1j]
        else:
            bad, strange = [good[:-1], good[:, None]], [good.astype(np.float32), good.astype(str)]
        wrong = [(ValueError, array) for array in bad] + [(TypeError, array) for array in strange]
        for settings, (error, array) in itertools.product(step.variants(), wrong):
            _must_refuse(step, settings, {**step.data, name: array}, error, rf"^{name}: wanted ")


def _must_refuse(
    step: Subject, settings: Settings, data: Mapping[str, Any], error: type[Exception], message: str
) -> None:
    try:
        step(settings, data)
    except error as refusal:
        must(re.search(message, str(refusal)), f"wanted a refusal that reads {message}, got {refusal}")
        return
    except Exception as other:
        raise Broken(f"wanted {error.__name__} {message}, got {type(other).__name__}: {other}") from other
    odd = [name for name, array in data.items() if name in step.inputs and array is not step.data[name]]
    raise Broken(f"wanted {error.__name__} {message}, got an answer" + (f" for a bad {odd[0]}" if odd else ""))


def every_setting_matters(step: Subject) -> None:
    for name, setting in step.settings.items():
        step.tried = None
        if name in step.left_alone:
            continue
        must(step.others(name), f"{name}: no telling which values it has, hand one over in values={{{name!r}: …}}")
        must(name in step.matter, f"{name} changes nothing, tried {setting.default!r} and {step.others(name)}")
        must(not (same := step.alike(name)), f"{name}: {same} give the same")


def every_input_matters(step: Subject) -> None:
    for name in step.inputs:
        other = np.roll(step.data[name], 1, axis=-1)  # columns, because a set has no order of rows
        if _is_square(name):
            other = np.roll(other, 1, axis=0)
            scale = np.linspace(0.5, 1, len(other), dtype=np.float32)
            other = other * scale * scale[:, None]
        elif other.ndim == 2:  # nor may it matter how all of a set are turned
            other = other * np.linspace(0.5, 1, other.shape[1], dtype=np.float32)
        data = {**step.data, name: other}
        settings = [step.beside[name]] if name in step.beside else list(step.variants())
        must(
            any(bits(step(chosen, data)) != bits(step.usual(chosen)) for chosen in settings),
            f"{name} changes nothing, whatever the settings",
        )


def ties_by_gallery_row(step: Subject) -> None:
    if not step.orders:
        return
    same = pick(step.data, ng=[min(4, step.count("ng") - 1)] * step.count("ng"))
    for settings in step.variants():
        found = step(settings, same)
        ranking = ranked(found["distances"]) if "distances" in found else found["ranking"]
        for row in ranking:
            kept = row[row >= 0]
            must((kept == np.arange(len(kept))).all(), f"copies of one image are ranked {kept.tolist()}")
            must(len(kept) in (0, len(row)), f"of copies of one image {len(row) - len(kept)} are never returned")


def the_nearest_are_the_head(step: Subject) -> None:
    if "nearest" not in step.returned or "top_k" not in step.settings:
        return
    whole = step.usual({})["distances"]
    for k in (1, 3):
        found = step.usual({"top_k": k})
        rows, distances = found["ranking"], found["nearest"]
        must_be_near(distances, np.sort(whole, axis=1)[:, :k], "nearest")
        must_be_near(np.take_along_axis(whole, rows, axis=1), distances, "distances of the images ranked")


def ranked(distances: np.ndarray) -> np.ndarray:
    """Gallery rows, nearest first, ties by row, -1 at distance +inf."""
    order = np.argsort(distances, axis=1, kind="stable")
    return np.where(np.take_along_axis(distances, order, axis=1) == np.inf, -1, order)


def the_declared_range(step: Subject) -> None:
    for settings in step.variants():
        if (wanted := range_of(step.function, settings)) is None:
            continue
        low, high = wanted
        for what, data in (("", step.data), (", of queries in the gallery", _queries_in_the_gallery(step))):
            for name, array in step(settings, data).items():
                if name in ("distances", "nearest"):
                    outside = array[(array < low) | (array > high)]
                    found = f"{outside[:1]}{what}"
                    must(not outside.size, f"{name}: wanted {low} to {high}, as it declares, got {found}")


def _queries_in_the_gallery(step: Subject) -> World:
    """The world again, where every query is a gallery image too, as if one set were ranked against itself."""
    nq = step.count("nq")
    if "query" not in step.data or "distances" in step.data:
        return step.data
    twins = {name: name.replace("query", "gallery", 1) for name in step.data if name.startswith("query")}
    return {**step.data, **{one: step.data[other][:nq] for one, other in twins.items() if other in step.data}}


def one_set_means_each_against_all_others(step: Subject) -> None:
    one_set(step, must, must_be_near)


def neighbour_lists_give_the_same(step: Subject) -> None:
    neighbour_lists(step, must, must_be_near)


def the_declared_memory(step: Subject) -> None:
    for settings in ({}, {"top_k": 5}) if "top_k" in step.settings else ({},):
        found = excess(step, settings)
        must(found is None, found or "")


def must_be_same(found: World, wanted: World, what: str) -> None:
    must(bits(found) == bits(wanted), f"{what}: {difference(found, wanted)}")


def must_be_near(found: np.ndarray, wanted: np.ndarray, what: str) -> None:
    finite = wanted[np.isfinite(wanted)]
    room = ROUNDING * max(1, abs(finite).max(initial=0))
    must(found.shape == wanted.shape, f"{what}: wanted shape {wanted.shape}, got {found.shape}")
    close = np.isclose(found, wanted, rtol=0, atol=room)
    must(
        close.all(),
        f"{what}: {(~close).sum()} of {close.size} values differ, {found[~close][:1]} for {wanted[~close][:1]}",
    )


LAWS: tuple[tuple[int, str, Callable[[Subject], None]], ...] = (
    (10, "the signature says what a pipeline needs", the_signature_says_it),
    (1, "inputs are untouched, and any kind of array gives the same", inputs_are_untouched),
    (2, "the result shuffles with its input", the_result_shuffles),
    (3, "float32, the declared shape, finite or +inf", type_and_shape),
    (4, "the same bits twice, with any threads and memory", the_same_bits),
    (5, "the neutral setting changes nothing", the_neutral_setting),
    (6, "copies stay together", copies_stay_together),
    (6, "zero rows give no NaN", zero_rows_give_no_nan),
    (7, "a bad setting is refused with its name, range and value", bad_settings_are_refused),
    (8, "every setting matters", every_setting_matters),
    (8, "every input matters", every_input_matters),
    (9, "ties are broken by gallery row", ties_by_gallery_row),
    (9, "the nearest are the head of the whole answer", the_nearest_are_the_head),
    (11, "the answer lies in its declared range", the_declared_range),
    (12, "data that is handed over is checked, used or not", bad_data_are_refused),
    (13, "one set means each against all others", one_set_means_each_against_all_others),
    (14, "memory stays under what it declares", the_declared_memory),
    (15, "neighbour lists give what features give", neighbour_lists_give_the_same),
)
