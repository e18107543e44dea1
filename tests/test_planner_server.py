"""Planners over HTTP: a server on localhost that answers, and fails in every way that servers do."""

from __future__ import annotations

import base64
import json
import socket
import time

import cv2
import numpy as np
import planner_cases as cases
import pytest
from planner_server import Server, Turn, failed, said

from policies.planner import errors
from policies.planner.client import VlmClient
from policies.planner.planner import Decision
from policies.planner.scripted import ReplayVlm
from policies.planner.settings import VlmSettings
from policies.planner.vlm_planner import VlmPlanner
from spatialmem.errors import InvalidValue

pytest.importorskip("openai", reason="openai is not installed: pip install 'spatialmem[vlm]'")

KEY = "sk-of-the-tests"
GO = cases.reply(kind="frontier", frontier=2)
USAGE = {"prompt_tokens": 1000, "completion_tokens": 20}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("OPENAI_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def pauses():
    """Seconds that would have been waited."""
    return []


@pytest.fixture
def made(pauses):
    """Makes planners of a server; they are closed in the end."""
    planners = []

    def make(server, **settings):
        usual = {"model": "m", "base_url": server.url, "timeout_s": 5.0, "retries": 2}
        client = VlmClient(VlmSettings(**(usual | settings)), sleep=pauses.append)
        planners.append(VlmPlanner(client))
        return planners[-1]

    yield make
    for planner in planners:
        planner.close()


def decide(planner, **given):
    return planner.decide(cases.context(**given), asks=False)


def test_what_is_sent_and_what_comes_back(made):
    with Server(said(GO, USAGE)) as server:
        planner = made(server, image_side_px=64, usd_per_million_in=2.0, usd_per_million_out=10.0)
        assert decide(planner) == Decision("frontier", frontier=2, confidence=0.9, reason="seen there")
        (sent,) = server.asked
        assert server.listings == 1 and server.authorization == f"Bearer {KEY}"
        assert sent["model"] == "m" and sent["temperature"] == 0.0 and sent["max_tokens"] == 600
        assert sent["response_format"]["json_schema"]["strict"] is True
        system, user = sent["messages"]
        assert system["role"] == "system" and isinstance(system["content"], str)
        images = [part["image_url"]["url"] for part in user["content"] if part["type"] == "image_url"]
        head, _, data = images[0].partition(",")
        assert head == "data:image/jpeg;base64" and len(images) == 6  # view, 2 snapshots, 2 frontiers, map
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert decoded.shape == (48, 64, 3) and abs(int(decoded[0, 0, 0]) - 200) < 10  # blue is blue
        used = planner.usage()
        assert used["calls"] == 1 and used["images"] == 6 and used["tokens"] == 1020
        assert used["cost_usd"] == pytest.approx(1000 * 2e-6 + 20 * 10e-6)
        planner.reset()
        assert not any(planner.usage().values())


def test_a_server_that_is_busy_is_asked_again_when_it_says(made, pauses):
    with Server(failed(429, "slow down", retry_after="7"), said(GO)) as server:
        assert decide(made(server)).frontier == 2
        assert pauses == [7.0] and len(server.asked) == 2


def test_a_server_that_fails_is_asked_again_after_growing_pauses(made, pauses):
    with Server(failed(500), failed(503), said(GO)) as server:
        assert decide(made(server, backoff_s=8.0)).frontier == 2
        assert 4.0 <= pauses[0] <= 8.0 <= pauses[1] <= 16.0
        first = list(pauses)
    with Server(failed(500), failed(503), said(GO)) as server:
        decide(made(server, backoff_s=8.0))
        assert pauses[2:] == first, "the chance in it comes from a seed"


def test_tries_are_bounded(made, pauses):
    with Server(failed(502, "bad gateway")) as server:
        planner = made(server)
        with pytest.raises(
            errors.PlannerDown, match=rf"{server.url} did not answer in 3 tries: HTTP 502.*is the server up"
        ):
            decide(planner)
        assert len(server.asked) == 3 and len(pauses) == 2
        with pytest.raises(errors.PlannerDown):
            decide(planner)
        assert planner.usage()["calls"] == 0


def test_a_pause_that_is_too_long_is_not_waited_for(made, pauses):
    with Server(failed(429, "quota", retry_after="3600")) as server:
        with pytest.raises(errors.PlannerDown, match="asks to wait 3600 s, longest_wait_s=60"):
            decide(made(server))
        assert pauses == [] and len(server.asked) == 1


def test_a_server_that_stalls_is_given_up(made, pauses):
    begun_s = time.monotonic()
    with Server(Turn(stalls=True)) as server:
        with pytest.raises(errors.PlannerDown, match="2 tries: nothing came within timeout_s=0.2"):
            decide(made(server, timeout_s=0.2, retries=1))
        assert len(server.asked) == 2 and time.monotonic() - begun_s < 5.0


def test_a_body_that_ends_early_is_asked_for_again(made, pauses):
    with Server(Turn(said(GO).body, cut=True), said(GO)) as server:
        assert decide(made(server)).frontier == 2
        assert len(server.asked) == 2 and len(pauses) == 1


def test_no_server_at_all(pauses):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://user:secret@127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(
        errors.VlmDown, match=r"http://127.0.0.1:\d+/v1 did not answer in 3 tries: no connection"
    ) as caught:
        VlmClient(VlmSettings("m", url, retries=2), sleep=pauses.append)
    assert "secret" not in str(caught.value) and len(pauses) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b'{"choices": [',
        b"[]",
        b'{"hello": 1}',
        b'{"choices": []}',
        b'{"choices": [{"message": []}]}',
    ],
)
def test_what_is_no_completion_is_not_asked_for_again(made, pauses, body):
    with Server(Turn(body)) as server:
        with pytest.raises(errors.PlannerDown, match=r"/v1.*is base_url the address of an OpenAI-compatible server"):
            decide(made(server))
        assert len(server.asked) == 1 and pauses == []


@pytest.mark.parametrize("text", [None, "", "I am sorry, but no.", '{"kind": "frontier", "frontier": 9}', "{" * 30_000])
def test_a_bad_answer_is_asked_for_once_more_and_then_unknown(made, text):
    with Server(said(text)) as server:
        planner = made(server)
        decision = decide(planner)
        assert decision.kind == "unknown" and "2 answers of the model could not be used" in decision.reason
        first, second = (request["messages"][1]["content"] for request in server.asked)
        assert second[: len(first)] == first and "could not be used" in second[-1]["text"]
        assert planner.usage()["parse_failures"] + planner.usage()["refused"] == 2


def test_an_answer_that_was_cut_off_is_asked_for_in_short(made):
    with Server(said('{"reason": "as I', finish="length"), said(GO)) as server:
        assert decide(made(server)).frontier == 2
        assert "cut off" in server.asked[1]["messages"][1]["content"][-1]["text"]


@pytest.mark.parametrize(("forms", "requests"), [(("json_object", "plain"), 2), (("plain",), 3)])
def test_a_server_that_refuses_schemas_is_asked_more_simply_from_then_on(made, forms, requests):
    with Server(said(f"Sure!\n```json\n{GO}\n```"), forms=forms) as server:
        planner = made(server)
        assert decide(planner).frontier == 2 and len(server.asked) == requests
        assert decide(planner).frontier == 2 and len(server.asked) == requests + 1
        assert server.asked[-1].get("response_format", {"type": "plain"}) == {"type": forms[0]}


def test_a_server_that_wants_the_newer_limit_gets_it(made):
    with Server(said(GO), limit="max_completion_tokens") as server:
        planner = made(server, temperature=None)
        assert decide(planner).frontier == 2 and decide(planner).frontier == 2
        assert [("max_tokens" in body, "temperature" in body) for body in server.asked] == [
            (True, False), (False, False), (False, False),
        ]  # fmt: skip
        assert server.asked[1]["response_format"]["type"] == "json_schema"


def test_a_form_is_not_forgotten_for_a_request_that_is_refused_anyway(made):
    with Server(failed(400, "too many images"), failed(400, "x"), failed(400, "too many images"), said(GO)) as server:
        planner = made(server)
        with pytest.raises(errors.PlannerDown, match="HTTP 400.*too many images"):
            decide(planner)
        assert decide(planner).frontier == 2
        assert server.asked[-1]["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "environment variable OPENAI_API_KEY"), (404, "does the server list the model 'm'"), (413, "image_side_px")],
)
def test_a_refusal_says_what_to_do_and_keeps_the_key_secret(made, status, advice):
    with Server(failed(status, f"wrong key {KEY}\x1b[31m")) as server:
        with pytest.raises(errors.PlannerDown, match=advice) as caught:
            decide(made(server))
        assert isinstance(caught.value.__cause__, errors.VlmRefused) and len(server.asked) == 1
        assert KEY not in str(caught.value) and "\x1b" not in str(caught.value)


def test_health_is_checked_at_start(made, caplog):
    with Server(said(GO), models=failed(404)) as server:
        with pytest.raises(errors.VlmRefused, match=rf"{server.url}: HTTP 404.*does base_url end in /v1"):
            made(server)
        assert decide(made(server, health_check=False)).frontier == 2
    with (
        Server(said(GO), models=Turn(b'{"object": "list"}')) as server,
        pytest.raises(errors.VlmGarbled, match="no list"),
    ):
        made(server)
    with Server(said(GO), models=("other",)) as server:
        assert decide(made(server)).frontier == 2  # llama.cpp answers to any name
        assert "lists other, not 'm'" in caplog.text


def test_the_address_comes_from_the_environment(made, monkeypatch):
    with Server(said(GO)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        assert decide(made(server, base_url=None)).frontier == 2
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with pytest.raises(InvalidValue, match="no key in the environment variable OPENAI_API_KEY"):
        VlmClient(VlmSettings("m"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-\u200bab")
    with pytest.raises(InvalidValue, match="copy it again"):
        VlmClient(VlmSettings("m"))
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    with pytest.raises(InvalidValue, match="environment variable OPENAI_BASE_URL begins with http"):
        VlmClient(VlmSettings("m"))


def test_a_server_of_ones_own_needs_no_key(made, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with Server(said(GO)) as server:
        assert decide(made(server)).frontier == 2


def test_nothing_is_asked_beyond_the_cap(made, tmp_path):
    log = tmp_path / "logs" / "calls.jsonl"
    with Server(said(GO, USAGE)) as server:
        planner = made(server, cap_tokens=2000, log=log)
        decide(planner), decide(planner)
        with pytest.raises(errors.CapReached, match="2040 tokens are spent, 2000 were allowed; raise cap_tokens"):
            decide(planner)
        assert len(server.asked) == 2
        dear = made(server, cap_usd=0.001, usd_per_million_in=1.0)
        decide(dear)
        with pytest.raises(errors.CapReached, match="raise cap_usd"):
            decide(dear)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["sum_tokens"] for line in lines] == [1020, 2040]
    assert lines[0]["images"] == 6 and lines[0]["form"] == "json_schema" and lines[0]["tries"] == 1
    assert not lines[0]["estimated"] and KEY not in log.read_text()


def test_calls_that_fail_are_in_the_log(made, tmp_path):
    log = tmp_path / "calls.jsonl"
    with Server(failed(500)) as server, pytest.raises(errors.PlannerDown):
        decide(made(server, log=log))
    (line,) = (json.loads(line) for line in log.read_text().splitlines())
    assert "HTTP 500" in line["error"] and line["tries"] == 3


def test_a_cap_holds_where_the_server_does_not_count(made):
    with Server(said(GO)) as server:
        planner = made(server, cap_tokens=100)
        decide(planner)
        assert planner.usage()["tokens"] > 100
        with pytest.raises(errors.CapReached):
            decide(planner)


def test_kept_answers_are_the_same_without_a_server(made, tmp_path):
    cache = tmp_path / "kept"
    asked = [cases.context(f"where is thing {n}?") for n in range(3)]
    answers = [
        said("nothing to see", USAGE),
        said(GO, USAGE),
        said(cases.reply(kind="object", object_id=4), USAGE),
        said(GO),
    ]
    with Server(*answers) as server:
        planner = made(server, cache=cache, usd_per_million_in=1.0)
        live = [planner.decide(one, asks=False) for one in asked]
        requests = len(server.asked)
        assert requests == 4 and len(list(cache.iterdir())) == 4
        assert [planner.decide(one, asks=False) for one in asked] == live
        assert len(server.asked) == requests and planner.usage()["cached"] == 4
    settings = VlmSettings("m", "http://elsewhere:1/v1", cache=cache, usd_per_million_in=3.0)
    with VlmPlanner(ReplayVlm(settings)) as replay:
        assert [replay.decide(one, asks=False) for one in asked] == live
        used = replay.usage()
        assert used["tokens"] == planner.usage()["tokens"] / 2 and used["cost_usd"] == 0.0 and used["cached"] == 4
        assert replay.identity() == planner.identity(), "so that tables merge both"
        with pytest.raises(errors.ReplayMiss, match=r"no kept answer [0-9a-f]{64} in .*kept"):
            replay.decide(cases.context("another"), asks=False)
