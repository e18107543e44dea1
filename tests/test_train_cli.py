"""`spatialmem train encoder`: two steps on one house, into an artefact that works."""

from __future__ import annotations

import json

import pytest

from spatialmem.cli import main
from spatialmem.perception import check_encoder, load_encoder

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Views, rendered by the first run."""
    return tmp_path_factory.mktemp("views")


def run(capsys, cache, out, *arguments: str) -> tuple[int, dict | None, str]:
    """Exit code, what was told, and what was said of errors."""
    code = main([
        "train", "encoder", "--out", str(out), "--cache", str(cache), "--houses", "1", "--steps", "2", "--quiet",
        "--json", *arguments,
    ])  # fmt: skip
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out else None, told.err


def test_a_wide_space_is_trained_in_two_pieces(capsys, cache, tmp_path):
    out = tmp_path / "run"
    code, told, _ = run(capsys, cache, out, "--dim", "128", "--dense", "none", "--minutes", "0")
    assert code == 0 and told is not None and told["step"] < told["steps"] == 2 and not told["finished"]
    code, _, error = run(capsys, cache, out, "--dim", "128", "--dense", "none")
    assert code != 0 and "--resume" in error
    code, told, _ = run(capsys, cache, out, "--dim", "128", "--dense", "none", "--resume")
    assert code == 0 and told is not None and told["finished"] and told["step"] == 2
    encoder = load_encoder(f"tiny:{out / 'artefact'}")
    assert encoder.dim == encoder.vector_dim == 128 and not encoder.calibrated
    assert check_encoder(encoder, ("red mug", "sofa")) == []
    described = json.loads((out / "artefact" / "tiny.json").read_text())
    assert described["training"]["config"]["dense"] == "none" and described["architecture"]["dim"] == 128


def test_a_run_is_not_resumed_as_another_one(capsys, cache, tmp_path):
    assert run(capsys, cache, tmp_path / "run", "--seed", "3", "--minutes", "0")[0] == 0
    for other in (["--seed", "3", "--dim", "128"], ["--seed", "3", "--dense", "none"], ["--seed", "4"]):
        code, _, error = run(capsys, cache, tmp_path / "run", "--resume", *other)
        assert code != 0 and "another" in error, other


@pytest.mark.parametrize("houses", ["0", "100000"])
def test_houses_that_are_not_there_are_refused(capsys, tmp_path, houses):
    code = main(["train", "encoder", "--out", str(tmp_path / "run"), "--cache", str(tmp_path), "--houses", houses])
    assert code != 0 and "--houses must lie within 1 to" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
