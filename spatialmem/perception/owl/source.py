"""Where the checkpoints of `owl` come from: what stands behind "owl:", and reading them."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialmem.errors import InvalidValue, require
from spatialmem.perception.torchvision_compat import import_torchvision

EXAMPLE = "owl:path/to/owlv2,path/to/sam2 or owl:google/owlv2-base-patch16-ensemble,facebook/sam2.1-hiera-tiny"
_NAMES = "names="


@dataclass(frozen=True)
class OwlSource:
    """Two checkpoints, each a folder here or a name of the hub, and a file of names."""

    owl: str
    sam: str
    names: Path | None
    """None: `names.HOUSEHOLD`"""


def parse_source(rest: str) -> OwlSource:
    """From "<owl>,<sam>[,names=<file>]"; `InvalidValue` says what to write instead."""
    parts = [part.strip() for part in rest.split(",")]
    named = [part.removeprefix(_NAMES) for part in parts if part.startswith(_NAMES)]
    models = [part for part in parts if not part.startswith(_NAMES)]
    if len(models) != 2 or len(named) > 1 or not all(models):
        raise InvalidValue(
            f"owl needs two checkpoints, of OWLv2 and of SAM 2, and at most one names=FILE; given {rest!r}; "
            f"write {EXAMPLE}"
        )
    for model in models:
        _check_place(model)
    return OwlSource(models[0], models[1], Path(named[0]).expanduser() if named else None)


def _check_place(model: str) -> None:
    """A folder with a checkpoint, or what can only be a name of the hub."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise InvalidValue(f"no config.json in {model!r}; expected a folder that save_pretrained has made")
        return
    if folder.is_file() or folder.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
        raise InvalidValue(f"no folder at {model!r}; give one made by save_pretrained, or a name of the hub: {EXAMPLE}")


def import_transformers() -> Any:
    """The package transformers, or `MissingDependency` with the command that installs it.

    A torchvision that is built for CUDA beside a torch that is not would break it; none at all would not.
    """
    with contextlib.suppress(ImportError):
        import_torchvision("owl")
    return require("transformers", "owl")


def load_part(kind: Any, place: str, what: str, **options: Any) -> Any:
    """`kind.from_pretrained(place, **options)`, from this machine alone where `place` is a folder here."""
    folder = Path(place).expanduser()
    local = folder.is_dir()
    damaged = (
        OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError,
        require("safetensors", "owl").SafetensorError,
    )  # fmt: skip
    try:
        with _no_progress_bars():
            return kind.from_pretrained(str(folder) if local else place, local_files_only=local, **options)
    except damaged as error:
        text = " ".join(str(error).split())[:300] or type(error).__name__
        raise InvalidValue(f"cannot load {what} from {place!r}: {text}; is it one, and is it whole?") from error


def load_model(kind: Any, place: str, what: str) -> Any:
    """A model in evaluation mode, every weight read and finite; `InvalidValue` otherwise. transformers would make up
    at random what a checkpoint lacks."""
    model, found = load_part(kind, place, what, output_loading_info=True)
    lacking = sorted(found["missing_keys"])
    if lacking:
        raise InvalidValue(
            f"{place!r} is not {what}: it lacks {len(lacking)} weights, such as {lacking[0]!r}; "
            f"are the two checkpoints in order? {EXAMPLE}"
        )
    torch = require("torch", "owl")
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InvalidValue(f"weight {name!r} of {place!r} holds NaN or infinity; fetch the checkpoint again")
    return model.eval().requires_grad_(False)


@contextlib.contextmanager
def _no_progress_bars() -> Iterator[None]:
    """A library does not print; a user's own choice is put back."""
    logging = importlib.import_module("transformers.utils.logging")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def digest_of(model: Any) -> str:
    """SHA-256 over names, types, shapes and values of all its weights, and its configuration."""
    digest = hashlib.sha256(model.config.to_json_string(use_diff=False).encode())
    for name, tensor in sorted(model.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)};".encode())
        digest.update(values.float().numpy().tobytes())
    return digest.hexdigest()
