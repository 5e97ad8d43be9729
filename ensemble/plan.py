"""Everything about a run that can be known before a feature is read: which model goes where, what fits what."""

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from ensemble import fusion, steps
from ensemble.errors import examples, refuse_if_any
from ensemble.io import Folder, read_names
from ensemble.recipe import Branch, Recipe, Use
from postproc import runtime

MEGABYTE = 1 << 20
PROGRAM = 400 * MEGABYTE  # Python, numba and the libraries


@dataclass(frozen=True)
class Plan:
    """A checked recipe and, for each branch, the models of the folder that it takes and those beside them."""

    recipe: Recipe
    folder: Folder
    models: tuple[tuple[str, ...], ...]
    auxiliary: tuple[tuple[str, ...], ...]

    @property
    def all_models(self) -> tuple[str, ...]:
        """Every model that is read, once."""
        return tuple(dict.fromkeys(model for models in (*self.models, *self.auxiliary) for model in models))


def check(recipe: Recipe, folder: Folder) -> Plan:
    """Match a recipe with a folder; raises InputError with every problem of both."""
    problems: list[str] = []
    beside = {name for branch in recipe.branches for name in branch.auxiliary}
    chosen = tuple(_choose(branch, branch.models, folder, beside, problems) for branch in recipe.branches)
    auxiliary = tuple(_choose(branch, branch.auxiliary, folder, set(), problems) for branch in recipe.branches)
    labels = frozenset(name for name in folder.columns if not name.endswith("_pid") or name.startswith("train"))
    states = []
    for branch, models in zip(recipe.branches, chosen, strict=True):
        state = set(labels)
        for use in branch.each:
            _check_step(use, state, labels, problems)
        if branch.auxiliary:
            state |= {"query_aux", "gallery_aux"}
        if branch.join:
            _check_join(branch.join, fusion.BEFORE, len(models), problems)
        elif len(models) > 1:
            problems.append(
                f"{branch.where}: wanted a join for {len(models)} models, found none; "
                'add join = { use = "concat" }'
            )
        for use in branch.steps:
            _check_step(use, state, labels, problems)
        states.append(state)
    state = states[0]
    if recipe.join:
        _check_join(recipe.join, fusion.AFTER, len(recipe.branches), problems)
    if len(recipe.branches) > 1:
        state = {*labels, "distances", *(state & {"query_aux", "gallery_aux"})}
        if not recipe.join:
            problems.append(
                f"{recipe.name}: wanted a join for {len(recipe.branches)} branches, found none; "
                'add join = { use = "weighted_sum" }'
            )
        problems += [
            f"{branch.where}: wanted distances at the end, to be joined; add a distance step, without top_k"
            for branch, reached in zip(recipe.branches, states, strict=True)
            if "distances" not in reached
        ]
    for use in recipe.steps:
        _check_step(use, state, labels, problems)
    problems += [
        f"{use.where} ({use.name}), top_k: wanted the recipe's {recipe.top_k} or more, found {top_k}"
        for use in recipe.uses()
        if isinstance(top_k := use.settings.get("top_k"), int) and top_k < recipe.top_k
    ]
    if not {"distances", "nearest"} & state and len(recipe.branches) == 1:
        problems.append(
            f'{recipe.name}: wanted distances at the end; add {{ use = "distances" }} as the last step'
        )
    refuse_if_any(problems)
    return Plan(recipe, folder, chosen, auxiliary)


def memory_needed(plan: Plan, nq: int, ng: int, *, whole_answer: bool, threads: int) -> int:
    """Bytes that a run takes, roughly: features (from the sizes of the files), lists and weights, the answer."""
    sizes = {model: sum(path.stat().st_size for path in paths) for model, paths in plan.folder.models.items()}
    features = sum(sizes[model] for model in plan.all_models)
    images = nq + ng
    k1, k2 = 1, 1
    for use in plan.recipe.uses():
        defaults = steps.catalogue()[use.name].settings if use.name in steps.catalogue() else {}
        k1 = max(k1, int({**defaults, **use.settings}.get("k1", 1)))
        k2 = max(k2, int({**defaults, **use.settings}.get("k2", 1)))
    graph = images * (24 * max(k1 + 1, k2) + 16 * (k1 + 1) * (1 + k2 // 2))
    answer = nq * ng * 4
    branches = len(plan.recipe.branches)
    held = answer * (branches + 1 if branches > 1 else 1)
    if not whole_answer:
        held = min(held, max(128 * MEGABYTE, 128 * ng * 4))  # one strip of it
    tiles = threads * 16 * MEGABYTE
    return PROGRAM + 3 * features + graph + tiles + held


def memory_problems(plan: Plan, nq: int, ng: int, limit: int | None, *, whole_answer: bool) -> list[str]:
    """A problem with the figure if a run needs more than ``limit`` bytes."""
    threads = runtime.current().threads
    needed = memory_needed(plan, nq, ng, whole_answer=whole_answer, threads=threads)
    if limit is None or needed <= limit:
        return []
    remedy = "allow more, or take fewer models"
    if whole_answer:
        remedy += ", or score only the first 100 with --protocol aicity"
    return [
        f"--memory: wanted at most {limit / 1e9:.2f} GB, found that {nq} queries x {ng} images need about "
        f"{needed / 1e9:.2f} GB; {remedy}"
    ]


def counts(folder: Folder) -> tuple[int, int] | None:
    """Queries and gallery images as far as lists and tables tell before a feature is read."""
    found = []
    for side in ("query", "gallery"):
        if side in folder.names:
            found.append(len(read_names(folder.names[side])))
        elif side in folder.tables:
            with folder.tables[side].open(encoding="utf-8") as lines:
                found.append(sum(1 for _ in lines) - 1)
    return (found[0], found[1]) if len(found) == 2 else None


def _choose(
    branch: Branch, entries: Iterable[str], folder: Folder, without: set[str], problems: list[str]
) -> tuple[str, ...]:
    """The models of the folder that a branch names, in the branch's order; no pattern stands for ``without``."""
    chosen: list[str] = []
    others = [model for model in folder.models if model not in without]
    for entry in entries:
        patterns = (fnmatch.filter(others, pattern) for pattern in entry.split("|"))
        found = [entry] if entry in folder.models else next(filter(None, patterns), [])
        if not found:
            problems.append(
                f"{branch.where}, models: wanted {' or '.join(entry.split('|'))} in {folder.path}, "
                f"found {examples(list(folder.models), 8)}; name your models in the recipe"
            )
        chosen += [name for name in found if name not in chosen]
    return tuple(chosen)


def _check_step(use: Use, state: set[str], labels: frozenset[str], problems: list[str]) -> None:
    """Does the step exist, do its settings fit, is its data there? Moves ``state`` on to what it gives."""
    known = steps.catalogue()
    step = known.get(use.name)
    if step is None:
        problems.append(
            f"{use.where}: wanted a step, found {use.name!r}{_near(use.name, known)}; see --list-steps"
        )
        state.add("distances")  # so that the rest can still be checked
        return
    unknown = [name for name in use.settings if name not in step.settings]
    problems += [
        f"{use.where} ({use.name}): wanted a setting ({', '.join(step.settings) or 'it has none'}), "
        f"found {name!r}{_near(name, step.settings)}"
        for name in unknown
    ]
    needs = ("query", "gallery") if step.needs == ("features",) else step.needs
    missing = [name for name in needs if name not in state]
    if missing:
        problems.append(
            f"{use.where} ({use.name}): wanted {', '.join(missing)}, found "
            f"{', '.join(sorted(state))}; {_remedy(missing, state)}"
        )
    elif not unknown:
        objection = steps.objection(step, use.settings, labels)
        if objection:
            problems.append(f"{use.where} ({use.name}), {objection}")
    if "distances" in step.gives:
        state -= {"query", "gallery", "train"}
        if use.settings.get("top_k") is not None:  # a list is the end: nothing can follow it
            state -= {"distances"}
            state |= {"nearest"}
            return
    state |= {"query", "gallery"} if step.gives == ("features",) else set(step.gives)


def _check_join(use: Use, known: Mapping[str, object], count: int, problems: list[str]) -> None:
    if use.name not in known:
        problems.append(
            f"{use.where}: wanted one of {', '.join(known)}, found {use.name!r}{_near(use.name, known)}"
        )
    elif count:
        objection = steps.joining_objection(use.name, use.settings, count)
        if objection:
            problems.append(f"{use.where} ({use.name}), {objection}")


def _remedy(missing: list[str], state: set[str]) -> str:
    if any(name.startswith("train") for name in missing):
        return (
            "this step learns: give every model a train array and train.csv (name, pid, and cam where it is known)"
        )
    if any(name.endswith(("_track", "_order")) for name in missing):
        return "give the track file with --tracks or a track column in gallery.csv"
    if any(name.endswith("_aux") for name in missing):
        return 'name the side model in the branch, auxiliary = ["MODEL"]'
    if any(name.endswith("_cam_prob") for name in missing):
        return "it is for probabilities computed elsewhere, from Python; use camera_penalty"
    if any(name.endswith(("_cam", "_frame", "_pid", "_scene", "_quality")) for name in missing):
        return "give the column in query.csv and gallery.csv"
    if "query_distances" in missing or "gallery_distances" in missing:
        return "it is for distances computed elsewhere, from Python; use rerank"
    if "nearest" in state:
        return "a step with top_k gives a list and has to be the last; leave top_k to the recipe"
    if "distances" in missing:
        return "a distance step has to come first"
    return "this step works on features and has to come before the distances"


def _near(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), 1)
    return f", did you mean {close[0]!r}?" if close else ""
