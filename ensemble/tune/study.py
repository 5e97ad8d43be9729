"""The order of trials: the recipe as it is, models one after the other, then settings and weights by optuna.

1. The recipe.
2. Greedy forward selection in every branch that joins models: the best model alone, then whichever model gains
   most, again and again, one that is in already counting more if it comes again (Caruana et al., "Ensemble
   Selection from Libraries of Models", ICML 2004). How often a model came is its weight to start from.
3. Those models and weights with the recipe's settings, and from there a tree-structured Parzen estimator over
   settings and weights (Bergstra et al., NIPS 2011, in optuna). The first model of a branch keeps its weight:
   only ratios matter.

Every finished trial is a row in the study, written at once. A study that is continued replays what it holds and
goes on as if it had never stopped: which candidate comes next depends on the seed and the trials before it only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.broken import BROKEN, told
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.tune.space import Candidate, Join, Space, key, rounded, selectable
from postproc.base.extras import install

NAME = "reid-ensemble"
RANDOM = 8  # candidates before the estimator looks at what was good
ROUNDS = 2  # times the models, at most: additions in the greedy selection


@dataclass(frozen=True)
class Trial:
    """A candidate, its score on every fold (None: it was refused, and why) and where it comes from."""

    kind: str
    candidate: Candidate
    scores: list[float] | None
    refused: str = ""

    @property
    def mean(self) -> float:
        """Over the folds; what was refused is worse than anything."""
        return -np.inf if self.scores is None else float(np.mean(self.scores))


class Enough(Exception):
    """As many trials as were asked for."""


class Search:
    """Trials in order; ``run`` scores a candidate on all folds, ``tell`` hears of every trial."""

    def __init__(
        self,
        space: Space,
        run: Callable[[Candidate], list[float]],
        *,
        seed: int,
        trials: int,
        select: bool = True,
        tell: Callable[[Trial], None] = lambda trial: None,
    ) -> None:
        self.space, self.run, self.seed, self.tell = space, run, seed, tell
        self.trials, self.select = trials, select
        self.done: list[Trial] = []
        self.known: dict[str, Trial] = {}
        self.frozen: list[Any] = []  # the same as optuna has them
        self.stored: list[Any] = []  # those that the file held at the beginning
        self.file: Any = None
        self.path: Path | None = None

    def __call__(self, path: Path | None = None, about: Mapping[str, Any] | None = None) -> list[Trial]:
        """All trials, ``path``'s first; ``about`` is what they are trials of: a file about others is refused."""
        with _quiet(), _opened(path, about or {}) as self.file:
            self.path = path
            with _readable(path):
                self.stored = list(self.file.get_trials(deepcopy=False)) if self.file else []
            self.trials = max(self.trials, len(self.stored))
            with suppress(Enough):
                self._search()
        return self.done

    def _search(self) -> None:
        first = self._try("recipe", self.space.start())
        if first.scores is None:
            raise InputError([first.refused])
        chosen = self.space.start()
        for join in self.space.joins:
            if self.select and selectable(join):
                chosen = self._select(join, chosen)
        self._sample(chosen)

    def _select(self, join: Join, base: Candidate) -> Candidate:
        """Add the model that gains most until nothing gains; the candidate with the models that came."""
        weighed = join.low is not None
        counts: dict[str, int] = {}
        best, best_score = base, -np.inf
        for _ in range(ROUNDS * len(join.parts)):
            tried = []
            for model in join.parts:
                if model in counts and (not weighed or len(counts) == 1):
                    continue  # twice a model alone is the model
                candidate = _with(base, join, {**counts, model: counts.get(model, 0) + 1})
                tried.append((self._try("greedy", candidate).mean, model, candidate))
            if not tried:
                break
            score, model, candidate = max(tried, key=lambda found: found[0])
            if score <= best_score:
                break
            best, best_score = candidate, score
            counts[model] = counts.get(model, 0) + 1
        return best

    def _sample(self, start: Candidate) -> None:
        """Settings and weights around ``start``, as long as there are trials left."""
        import optuna

        distributions, now = self._parameters(start)
        if not distributions:
            return
        begin = len(self.done)
        fits = all(_within(value, distributions[name]) for name, value in now.items())
        self._try("start", start, now if fits else {}, distributions if fits else {})
        memory = optuna.create_study(direction="maximize")
        while True:
            for frozen in self.frozen[len(memory.get_trials(deepcopy=False)) :]:
                memory.add_trial(frozen)
            number = len(self.done)
            if number < len(self.stored):
                params = self.stored[number].params
                self._try("search", self._candidate(start, params), params, distributions)
                continue
            if number >= self.trials:
                raise Enough
            seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
            memory.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=begin + RANDOM)
            asked = memory.ask(distributions)
            trial = self._try("search", self._candidate(start, asked.params), asked.params, distributions)
            memory.tell(asked, None if trial.scores is None else trial.mean, self.frozen[-1].state)

    def _parameters(self, start: Candidate) -> tuple[dict[str, Any], dict[str, Any]]:
        """optuna's distributions by name, and the values to start from."""
        from optuna import distributions

        found: dict[str, Any] = {setting.name: setting.distribution() for setting in self.space.settings}
        now: dict[str, Any] = {setting.name: start["settings"][setting.name] for setting in self.space.settings}
        for join in self.space.joins:
            if join.low is None or join.high is None:
                continue
            for name, weight in self._weights(join, start)[1:]:
                size = abs(weight)
                low, high = (size * join.low, size * join.high) if size else (0.0, join.high)
                found[name] = distributions.FloatDistribution(low, high, log=size > 0)
                now[name] = size
        return found, now

    def _weights(self, join: Join, candidate: Candidate) -> list[tuple[str, float]]:
        """Names and values of a join's weights, largest first: that one keeps its value."""
        branch = f"branch {int(join.place) + 1}, " if join.place != "top" and len(self.space.joins) > 1 else ""
        pairs = zip(_parts(join, candidate), candidate["weights"][join.place], strict=True)
        named = [(f"{branch}{join.name}.weights.{part}", weight) for part, weight in pairs]
        return sorted(named, key=lambda pair: -abs(pair[1]))

    def _candidate(self, start: Candidate, params: Mapping[str, Any]) -> Candidate:
        """``start`` with the values that were drawn."""
        values = {name: rounded(value) if isinstance(value, float) else value for name, value in params.items()}
        settings = {name: values.get(name, value) for name, value in start["settings"].items()}
        weights = dict(start["weights"])
        for join in self.space.joins:
            names = {name.rpartition(".weights.")[2]: name for name, _ in self._weights(join, start)}
            weights[join.place] = [
                float(np.copysign(values[names[part]], weight)) if names[part] in values else weight
                for part, weight in zip(_parts(join, start), start["weights"][join.place], strict=True)
            ]
        return {"settings": settings, "models": start["models"], "weights": weights}

    def _try(
        self,
        kind: str,
        candidate: Candidate,
        params: Mapping[str, Any] | None = None,
        distributions: Mapping[str, Any] | None = None,
    ) -> Trial:
        """The next trial: taken from the file, known from before, or run, and then written to the file."""
        known, number = self.known.get(key(candidate)), len(self.done)
        if kind == "greedy" and known is not None:
            return known
        if number < len(self.stored):
            frozen = self.stored[number]
            with _readable(self.path):
                trial = _restored(frozen)
            if (trial.kind, key(trial.candidate)) != (kind, key(candidate)):
                raise InputError(
                    [f"--study: wanted trial {number} as this version tries it, found another; give a new file"]
                )
        else:
            if number >= self.trials:
                raise Enough
            trial = replace(known, kind=kind) if known is not None else self._run(kind, candidate)
            frozen = _frozen(trial, params or {}, distributions or {})
            if self.file is not None:
                with _readable(self.path):
                    self.file.add_trial(frozen)
        self.done.append(trial)
        self.frozen.append(frozen)
        self.known.setdefault(key(candidate), trial)
        self.tell(trial)
        return trial

    def _run(self, kind: str, candidate: Candidate) -> Trial:
        try:
            return Trial(kind, candidate, self.run(candidate))
        except InputError as error:
            return Trial(kind, candidate, None, "; ".join(error.problems))


def _with(base: Candidate, join: Join, counts: Mapping[str, int]) -> Candidate:
    """``base`` with these models of a join, weighed by how often they came."""
    most = max(counts.values())
    pairs = [(part, weight) for part, weight in zip(join.parts, join.weights, strict=True) if part in counts]
    return {
        "settings": base["settings"],
        "models": base["models"] | {join.place: [part for part, _ in pairs]},
        "weights": base["weights"] | {join.place: [rounded(w * counts[part] / most) for part, w in pairs]},
    }


def _parts(join: Join, candidate: Candidate) -> Sequence[str]:
    return join.parts if join.place == "top" else candidate["models"][join.place]


def _within(value: Any, distribution: Any) -> bool:
    """Whether a value is one that optuna could have drawn."""
    if value is None or (hasattr(distribution, "choices") and value not in distribution.choices):
        return False
    return bool(distribution._contains(distribution.to_internal_repr(value)))


def _frozen(trial: Trial, params: Mapping[str, Any], distributions: Mapping[str, Any]) -> Any:
    from optuna.trial import TrialState, create_trial

    complete = trial.scores is not None
    return create_trial(
        state=TrialState.COMPLETE if complete else TrialState.PRUNED,
        value=trial.mean if complete else None,
        params=dict(params),
        distributions={name: distributions[name] for name in params},
        user_attrs=asdict(trial),
    )


def _restored(frozen: Any) -> Trial:
    found = Trial(**{name: frozen.user_attrs[name] for name in ("kind", "candidate", "scores", "refused")})
    if found.scores is not None and not (found.scores and all(isinstance(score, float) for score in found.scores)):
        raise TypeError("a trial whose scores are no numbers")
    return found


def _readable(path: Path | None) -> AbstractContextManager[None]:
    """What goes wrong inside is the fault of the study's file, and becomes a sentence."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    wanted = f"{path}: wanted a study that can be read and written, or no such file yet"
    return told(wanted, "give another --study", OptunaError, SQLAlchemyError)


@contextmanager
def _quiet() -> Iterator[None]:
    """optuna says nothing inside."""
    try:
        from optuna import logging
    except ImportError as error:
        raise InputError([f"optuna: wanted it for the search, found none ({error}); {install('tune')}"]) from error
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


@contextmanager
def _opened(path: Path | None, about: Mapping[str, Any]) -> Iterator[Any]:
    """The study in a SQLite file, made if there is none; None without a file."""
    if path is None:
        yield None
        return
    import optuna
    from sqlalchemy.engine import URL
    from sqlalchemy.exc import SQLAlchemyError

    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    try:
        storage = optuna.storages.RDBStorage(URL.create("sqlite", database=str(path)).render_as_string())
    except (SQLAlchemyError, *BROKEN) as error:
        if new:  # it is half written, and would be taken for something else the next time
            path.unlink(missing_ok=True)
            problem = (
                f"{path}: wanted to write it, but found: {_first_line(error)}; choose another place or make room"
            )
            raise InputError([problem]) from error
        problem = f"{path}: wanted a study, or no such file yet, found something else ({_first_line(error)})"
        raise InputError([f"{problem}; give another --study"]) from error
    try:
        with _readable(path):
            file = optuna.create_study(storage=storage, study_name=NAME, direction="maximize", load_if_exists=True)
            if file.user_attrs:
                refuse_if_any(_differences(path, file.user_attrs, about))
            for name, value in about.items():
                file.set_user_attr(name, value)
        yield file
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _differences(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    return [
        f"{path}: wanted a study of {name} {wanted[name]!r}, found one of {found.get(name)!r}; "
        "give another --study, or what it was made with"
        for name in wanted
        if found.get(name) != wanted[name]
    ]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
