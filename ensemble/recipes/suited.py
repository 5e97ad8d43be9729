"""Which recipes can run on a folder, by the check of every run: what they leave out there, what they will take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ensemble import io
from ensemble.base.errors import InputError
from ensemble.base.features import columns
from ensemble.io import Folder, ModelSize
from ensemble.pipeline import advice, memory, plan
from ensemble.pipeline.advice import Positives
from ensemble.pipeline.flow import Lack
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.recipe import Recipe
from postproc.base.vocabulary import VOCABULARY

BOTH = ("query", "gallery")


@dataclass(frozen=True)
class Suited:
    """What there is to say of a recipe and a folder.

    lacking: the data that it lacks there; with ``other`` problems, why it cannot run. Neither: it can.
    without: its optional steps that would not run there.
    bytes:   that it would hold at most; None where nobody can tell.
    advice:  settings that do not go with the images of an identity.
    """

    recipe: Recipe
    lacking: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    bytes: int | None = None
    advice: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether it can."""
        return not (self.lacking or self.other)


def suited(recipes: Mapping[str, Recipe], folder: Folder) -> Iterator[Suited]:
    """Every recipe with what there is to say of it. No feature is read."""
    positives = positives_of(folder)
    for recipe in recipes.values():
        try:
            checked = plan.check(recipe, folder)
            yield _runs(recipe, checked, positives)
        except InputError as error:
            yield _refused(recipe, error.problems)


def images(folder: Folder) -> dict[str, int]:
    """How many images there are of each side, as far as files tell."""
    found: dict[str, int] = {}
    for size in _sizes(folder, list(folder.models)).values():
        for side, count in size.images.items():
            found[side] = max(count, found.get(side, 0))
    return found


def holds(folder: Folder) -> list[str]:
    """What is known of the images of a folder: labels and what a step may learn from, as people call them."""
    return named(tuple(sorted(name for name in folder.columns if name not in (*BOTH, "distances"))))


def positives_of(folder: Folder) -> Positives | None:
    """What the median query finds of its identity, where tables and names tell; None elsewhere."""
    try:
        tables = io.read_tables(folder, sides=("gallery",) if folder.one_set else BOTH)
    except InputError:
        return None
    gallery, query = tables["gallery"], tables.get("query", tables["gallery"])
    if not all("pid" in table for table in (gallery, query)):
        return None
    return advice.positives(columns({"query": query, "gallery": gallery}))


def named(lacking: tuple[str, ...]) -> list[str]:
    """Data that are lacking, as people call them.

    >>> named(("query_cam", "gallery_cam", "gallery_track", "train", "train_pid", "mgn*"))
    ['cam', 'track of the gallery', 'train with pid', 'model mgn*']
    """
    found: dict[str, None] = {}
    train = [name.removeprefix("train_") for name in lacking if name.startswith("train_")]
    for name in lacking:
        side, _, column = name.partition("_")
        other = f"{'gallery' if side == 'query' else 'query'}_{column}"
        if side == "train":
            found["train with " + ", ".join(train) if train else "train"] = None
        elif column == "aux":
            found["side models"] = None
        elif side in BOTH and column:
            found[column if other in lacking else f"{column} of the {side}"] = None
        elif name in VOCABULARY:
            found["rank lists or matrices (--rankings)" if name == "distances" else name] = None
        else:
            found[f"model {name}"] = None
    if any(name.startswith("model ") for name in found):  # that is which
        found.pop("side models", None)
    return list(found)


def _runs(recipe: Recipe, checked: Plan, positives: Positives | None) -> Suited:
    running = {use.where for use in checked.recipe.uses()}
    without = [use.name for use in recipe.uses() if use.where not in running]
    strangers = [
        f"{one.step} looks at {one.setting} = {one.k1} neighbours, where half of the queries have {one.counted}"
        for one in advice.excesses(checked.recipe, positives)
    ]
    return Suited(
        recipe,
        without=tuple(dict.fromkeys(without)),
        bytes=_bytes(checked),
        advice=tuple(dict.fromkeys(strangers)),
    )


def _refused(recipe: Recipe, problems: list[str]) -> Suited:
    lacks = [problem for problem in problems if isinstance(problem, Lack)]
    others = [problem.removeprefix(f"{recipe.name}, ") for problem in problems if problem not in lacks]
    names = dict.fromkeys(name for lack in lacks for name in lack.of)
    return Suited(recipe, lacking=tuple(names), other=tuple(dict.fromkeys(others)))


def _sizes(folder: Folder, models: list[str]) -> Mapping[str, ModelSize]:
    return {} if "distances" in folder.columns else io.sizes(folder, models)


def _bytes(checked: Plan) -> int | None:
    sizes = _sizes(checked.folder, list(checked.all_models))
    if len(sizes) < len(checked.all_models):
        return None
    scored = {"query_pid", "gallery_pid"} <= checked.folder.columns
    return memory.predict(checked, sizes, protocol=checked.recipe.rules, scored=scored).largest.bytes
