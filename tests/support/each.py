"""Variants of one statement in one test, which names those that fail."""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest


def each(names: str | tuple[str, ...], cases: Iterable[Any], ids: Any = None) -> Callable[[Callable], Callable]:
    """``pytest.mark.parametrize`` with the loop inside: one test, all of whose cases run.

    Every case has a folder and patches of its own, and what was printed before it is forgotten.
    """
    wanted = tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(names)
    listed = [_values(case, len(wanted)) for case in cases]
    called = [_name(case, values, at, ids) for at, (case, values) in enumerate(listed)]

    def decorate(test: Callable) -> Callable:
        signature = inspect.signature(test)
        kept = [p for name, p in signature.parameters.items() if name not in wanted]
        assert set(wanted) <= set(signature.parameters), f"{test.__name__}: wanted parameters {wanted}"

        @functools.wraps(test)
        def all_cases(**fixtures: Any) -> None:
            if not listed:
                pytest.skip("there is no case")
            failed: list[tuple[str, BaseException]] = []
            skipped = []
            for at, (name, (_, values)) in enumerate(zip(called, listed, strict=True)):
                with ExitStack() as stack:
                    own = dict(_fresh(fixtures, at, stack))
                    try:
                        test(**own, **dict(zip(wanted, values, strict=True)))
                    except pytest.skip.Exception as skip:
                        skipped.append(skip)
                    except (Exception, pytest.fail.Exception) as error:
                        failed.append((name, error))
            if failed:
                lines = [f"[{name}] {type(error).__name__}: {error}" for name, error in failed]
                raise AssertionError(
                    f"{len(failed)} of {len(listed)} cases fail:\n" + "\n".join(lines)
                ) from failed[0][1]
            if len(skipped) == len(listed):
                raise skipped[0]

        all_cases.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return all_cases

    return decorate


def _fresh(fixtures: dict[str, Any], at: int, stack: ExitStack) -> Iterator[tuple[str, Any]]:
    """The fixtures of one case, as if no other had run before."""
    for name, value in fixtures.items():
        if name == "tmp_path":
            value = value / f"case{at}"
            value.mkdir()
        elif name == "monkeypatch":
            value = stack.enter_context(value.context())
        elif name in ("capsys", "capfd"):
            value.readouterr()
        elif name == "caplog":
            value.clear()
        yield name, value


def _values(case: Any, count: int) -> tuple[Any, tuple[Any, ...]]:
    marks = getattr(case, "marks", ())
    assert not marks, "a case with marks wants a test of its own"
    values = case.values if hasattr(case, "marks") else (case,) if count == 1 else tuple(case)
    assert len(values) == count, f"{case}: wanted {count} values"
    return case, values


def _name(case: Any, values: tuple[Any, ...], at: int, ids: Any) -> str:
    if getattr(case, "id", None) and hasattr(case, "marks"):
        return str(case.id)
    if callable(ids):
        return "-".join(str(found) if (found := ids(value)) is not None else repr(value) for value in values)
    if ids is not None:
        return str(list(ids)[at])
    return ", ".join(getattr(value, "__name__", None) or repr(value) for value in values)
