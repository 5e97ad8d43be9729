"""Options that make a torch module faster and keep its numbers: batch normalizations folded, code compiled.

Both are tried on a random batch when the model is loaded: features that are further apart than :data:`TOLERANCE`
of the largest value are refused.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode

from ensemble.base.errors import InputError, near

TOLERANCE = 1e-4  # of the largest value of an output
OPTIONS = ("fold", "compile")


def faster(module: Any, spec: str, options: Mapping[str, str], sample: torch.Tensor) -> Any:
    """The module with what the options ask for; itself without them.

    options: ``fold`` yes or no: a batch normalization that follows a convolution becomes part of its weights;
             ``compile`` yes or no, or the name of one of torch's back ends: :func:`torch.compile`.
    sample:  a batch that it takes, where it shall run.
    Raises:  InputError for another value, a program (which is as it was made), or where the numbers do not stay.
    """
    fold, back_end = options.get("fold", "no"), options.get("compile", "no")
    problems = [] if fold in ("yes", "no") else [f"{spec}: wanted fold=yes or no, found {fold}"]
    known = ("yes", "no", *torch.compiler.list_backends(exclude_tags=()))
    if back_end not in known:
        problems.append(f"{spec}: wanted compile={', '.join(known)}, found {back_end}{near(back_end, known)}")
    asked = [name for name in OPTIONS if options.get(name, "no") != "no"]
    if asked and (not isinstance(module, nn.Module) or isinstance(module, torch.jit.ScriptModule)):
        problems += [
            f"{spec}: wanted no {name} for a program, which is as it was made; leave it out" for name in asked
        ]
    if problems:
        raise InputError(problems)
    if not asked:
        return module
    before = _outputs(module, sample, spec, "as it is")
    if fold == "yes":
        _fold(module, sample)
        _compare(before, _outputs(module, sample, spec, "folded"), spec, "fold")
    if back_end != "no":
        module = torch.compile(module, backend="inductor" if back_end == "yes" else back_end, dynamic=True)
        _compare(before, _outputs(module, sample, spec, "compiled"), spec, "compile")
    return module


class _Watch(TorchFunctionMode):
    """While a module runs: what its convolutions put out, which normalization is handed it, who else uses it."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[int, tuple[nn.Conv2d, torch.Tensor]] = {}  # tensors too, or their numbers are given anew
        self.calls: Counter[nn.Module] = Counter()
        self.others: Counter[int] = Counter()
        self.pairs: list[tuple[int, nn.Conv2d, nn.BatchNorm2d]] = []
        self.inside = False  # a normalization

    def after_conv(self, layer: nn.Module, _: Any, out: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)
        self.calls[layer] += 1
        self.made[id(out)] = layer, out

    def before_norm(self, layer: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(layer, nn.BatchNorm2d)
        self.calls[layer] += 1
        self.inside = True
        if id(given[0]) in self.made:
            self.pairs.append((id(given[0]), self.made[id(given[0])][0], layer))

    def after_norm(self, *_: Any) -> None:
        self.inside = False

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        if not self.inside and isinstance(out, (torch.Tensor, tuple, list)) and not isinstance(out, torch.Size):
            for given in (*args, *(kwargs or {}).values()):
                parts = given if isinstance(given, (tuple, list)) else [given]
                self.others.update(id(part) for part in parts if id(part) in self.made)
        return out

    def alone(self) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
        """The pairs that follow each other, once, where nobody else wants what is between them."""
        return [
            (layer, norm)
            for tensor, layer, norm in self.pairs
            if not self.others[tensor] and self.calls[layer] == self.calls[norm] == 1
        ]


def _fold(module: nn.Module, sample: torch.Tensor) -> None:
    """Fold every batch normalization that is handed what a convolution has put out for it alone."""
    watch = _Watch()
    convs = [one for one in module.modules() if isinstance(one, nn.Conv2d)]
    norms = [one for one in module.modules() if isinstance(one, nn.BatchNorm2d) and one.running_var is not None]
    hooks = [one.register_forward_hook(watch.after_conv) for one in convs]
    for one in norms:
        hooks += [one.register_forward_pre_hook(watch.before_norm), one.register_forward_hook(watch.after_norm)]
    try:
        with torch.inference_mode(), watch:
            module(sample)
    finally:
        for hook in hooks:
            hook.remove()
    places = {layer: name for name, layer in module.named_modules()}
    for layer, norm in watch.alone():
        _replace(module, places[layer], fuse_conv_bn_eval(layer, norm))
        _replace(module, places[norm], nn.Identity())


def _replace(module: nn.Module, place: str, layer: nn.Module) -> None:
    parent, _, name = place.rpartition(".")
    setattr(module.get_submodule(parent), name, layer)  # set_submodule is torch 2.5's


def _outputs(module: Any, sample: torch.Tensor, spec: str, how: str) -> list[torch.Tensor]:
    try:
        with torch.inference_mode():
            out = module(sample.clone())  # made in here, as batches are: compiled code is for one kind of tensor
    except Exception as error:  # compilers have faults of a dozen kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        shape = "x".join(map(str, sample.shape))
        raise InputError(
            [f"{spec}: wanted to run it {how} on {shape}, found: {reason}; leave the option out"]
        ) from None
    parts = out.values() if isinstance(out, Mapping) else out if isinstance(out, (list, tuple)) else [out]
    return [part.clone() for part in parts if isinstance(part, torch.Tensor)]


def _compare(before: list[torch.Tensor], after: list[torch.Tensor], spec: str, option: str) -> None:
    apart = [
        float((one - other).abs().max() / one.abs().max().clamp(min=1e-30))
        for one, other in zip(before, after, strict=True)
        if one.is_floating_point()
    ]
    worst = max(apart, default=0.0)
    if not worst <= TOLERANCE:
        raise InputError(
            [
                f"{spec}: wanted the same numbers with {option}, to {TOLERANCE:g} of the largest, found them "
                f"{worst:.1e} apart; leave {option} out"
            ]
        )
