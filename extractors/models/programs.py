"""TorchScript (``torch.jit.save``) and exported programs (``torch.export.save``): code and weights in one file."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

from ensemble.base.errors import InputError, refuse_if_any
from extractors.extras import need
from extractors.model import Model
from extractors.options import refuse_unknown

SCRIPT, EXPORTED, TENSORS = "TorchScript", "an exported program", "tensors without code"


def load(
    spec: str, *, device: str = "auto", precision: str = "float32", name: str | None = None, **options: str
) -> Model:
    """Open a program; which of the two kinds it is shows in the file, not in its name.

    Takes:   PATH.pt, PATH.pt2, PATH.ts. A file that holds tensors without code is read as a checkpoint.
    options: ``size`` HEIGHTxWIDTH, needed where the file leaves it open (TorchScript always does); ``mean``,
             ``std`` R/G/B of values 0..1, default ImageNet's; ``output`` which of several outputs is the feature;
             ``channels_last`` auto, yes or no.
    A program exported for a fixed number of images runs in steps of it.
    Raises:  InputError with everything that does not fit.
    Trust:   a program is code. It runs in torch's own interpreter, not in Python, but run none from a stranger.
    """
    path = Path(spec)
    if kind_of(path) == TENSORS:
        from extractors.models import checkpoints

        return checkpoints.load(spec, device=device, precision=precision, name=name, **options)
    torch = need("torch", "torch", spec)
    from extractors.models import torch_run as run

    refuse_if_any(refuse_unknown(spec, options, (*run.COMMON, "output")))
    where = run.place(device, precision, options.get("channels_last", "auto"))
    module: Any
    size = batch = None
    if kind_of(path) == SCRIPT:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "`torch.jit")  # torch would rather see torch.export
                module = torch.jit.load(path, map_location="cpu")
        except (RuntimeError, ValueError, EOFError) as error:
            raise InputError([_broken(spec, error)]) from None
    else:
        module, size, batch = _exported(torch, path, where.device)
        if size is not None and options.get("size", f"{size[0]}x{size[1]}") != f"{size[0]}x{size[1]}":
            said = f"size={size[0]}x{size[1]}"
            raise InputError([f"{spec}: wanted {said}, as the program was exported, found {options['size']}"])
    return run.torch_model(
        module,
        spec,
        where,
        options,
        name=name or path.stem,
        digest=run.file_digest(path),
        size=size,
        batch=batch,
    )


def kind_of(path: Path) -> str:
    """Which of the three a file of torch is. Raises InputError for another."""
    if not path.is_file():
        raise InputError([f"{path}: wanted a TorchScript or an exported program, found no file; check the path"])
    if not zipfile.is_zipfile(path):
        return TENSORS  # torch.save before 1.6; if it is none, its reader says so
    with zipfile.ZipFile(path) as archive:
        members = {member.partition("/")[2] for member in archive.namelist()} | set(archive.namelist())
    if "constants.pkl" in members:
        return SCRIPT
    if "data.pkl" in members:
        return TENSORS
    if members & {"archive_format", "serialized_exported_program.json", "models/model.json"}:
        return EXPORTED
    raise InputError(
        [f"{path}: wanted TorchScript, an exported program or a checkpoint, found another kind of archive"]
    )


def _exported(torch: Any, path: Path, device: Any) -> tuple[Any, tuple[int, int] | None, int | None]:
    """The module on its device, the size of its images and their number, each ``None`` where it is free."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "You are using `torch.load`", FutureWarning)  # torch 2.4 itself does
            program = torch.export.load(path)
        if device.type != "cpu":
            from torch.export.passes import move_to_device_pass

            program = move_to_device_pass(program, device)
    except Exception as error:  # the loader's faults are of a dozen kinds
        raise InputError([_broken(str(path), error)]) from None
    inputs = program.graph_signature.user_inputs
    shapes = [node.meta["val"].shape for node in program.graph.nodes if node.name in inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] != 3:
        found = ", ".join(str(tuple(shape)) for shape in shapes)
        raise InputError([f"{path}: wanted one input (n, 3, height, width), found {found or 'none'}"])
    count, _, height, width = shapes[0]
    fixed = isinstance(height, int) and isinstance(width, int)
    return (
        program.module().__call__,  # the module itself refuses .eval() and is where it should be already
        (int(height), int(width)) if fixed else None,
        count if isinstance(count, int) else None,
    )


def _broken(where: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[-1][:200]
    return f"{where}: wanted a program of torch, found one that cannot be opened ({reason})"
