"""Finding and loading a model of open_clip: from a file here, or from a hub when the user names one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # what torch raises for a damaged file; nothing is unpickled here
from typing import Any

from spatialmem.errors import InvalidValue, require, unknown_name
from spatialmem.perception.torchvision_compat import import_torchvision

_LOCAL_FOLDER, _HUB = "local-dir:", "hf-hub:"
_SUFFIXES = (".pt", ".pth", ".bin", ".safetensors")
_EXAMPLE = "open_clip:ViT-B-32/path/to/weights.safetensors, or open_clip:ViT-B-32/laion2b_s34b_b79k to download"


@dataclass(frozen=True)
class ClipSource:
    """Which model, and where its weights come from."""

    model: str
    """open_clip's name, or "local-dir:<folder>", or "hf-hub:<repository>" """
    pretrained: str | None
    """a weight file, or a tag of open_clip's registry; None when `model` says it all"""
    weights: Path | None
    """the file or folder on this machine; None when they come from a hub"""


def import_open_clip() -> Any:
    """The package open_clip, or `MissingDependency` with the command that installs it."""
    import_torchvision("clip")
    return require("open_clip", "clip")


def parse_source(rest: str) -> ClipSource:
    """What stands behind "open_clip:". Raises `UnknownName` or `InvalidValue` with what to write instead."""
    open_clip = import_open_clip()
    if rest.startswith(_LOCAL_FOLDER):
        folder = Path(rest.removeprefix(_LOCAL_FOLDER)).expanduser()
        if not (folder / "open_clip_config.json").is_file():
            raise InvalidValue(f"no open_clip_config.json in {str(folder)!r}; expected a folder saved by open_clip")
        if not any(child.suffix in _SUFFIXES for child in folder.iterdir()):
            raise InvalidValue(f"no weights in {str(folder)!r}; expected a file ending in {', '.join(_SUFFIXES)}")
        return ClipSource(f"{_LOCAL_FOLDER}{folder}", None, folder)
    if rest.startswith(_HUB):
        return ClipSource(rest, None, None)
    model, _, pretrained = rest.partition("/")
    if model not in open_clip.list_models():
        raise unknown_name("open_clip model", model, open_clip.list_models())
    if not pretrained:
        raise InvalidValue(f"open_clip model {model!r} needs weights: a file or a tag, such as {_EXAMPLE}")
    return _with_weights(open_clip, model, pretrained)


def _with_weights(open_clip: Any, model: str, pretrained: str) -> ClipSource:
    path = Path(pretrained).expanduser()
    if path.is_file():
        return ClipSource(model, str(path), path)
    tags = open_clip.list_pretrained_tags_by_model(model)
    if pretrained in tags:
        return ClipSource(model, pretrained, None)
    if path.suffix in _SUFFIXES or len(path.parts) > 1:
        raise InvalidValue(f"no weight file at {pretrained!r} (for open_clip model {model!r}); check the path")
    raise unknown_name(f"weights of open_clip model {model!r}", pretrained, tags)


def load_model(source: ClipSource, device: str) -> Any:
    """The model in evaluation mode, float32, every weight read and finite; `InvalidValue` otherwise."""
    open_clip = import_open_clip()
    torch = require("torch", "clip")
    damaged = (
        RuntimeError, ValueError, KeyError, OSError, EOFError, StopIteration, AttributeError, TypeError,
        AssertionError, UnpicklingError, require("safetensors", "clip").SafetensorError,
    )  # fmt: skip
    try:
        model = open_clip.create_model(
            source.model, source.pretrained, precision="fp32", device=device, require_pretrained=True,
            pretrained_text=False, weights_only=True,
        )  # fmt: skip
    except damaged as error:
        where = source.weights or source.pretrained or source.model
        raise InvalidValue(
            f"cannot load {str(where)!r} as open_clip model {source.model!r}: {_first_lines(error)}; "
            "is the file whole, and are they the weights of this model?"
        ) from error
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InvalidValue(f"weight {name!r} of {source.model!r} holds NaN or infinity; fetch the file again")
    return model.eval().requires_grad_(False)


def _first_lines(error: BaseException) -> str:
    if isinstance(error, UnpicklingError):  # torch's own advice here, to load it without its safeguard, is not ours
        return "it is not a file of plain tensors"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:300] + " ..."
