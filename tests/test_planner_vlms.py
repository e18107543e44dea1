"""One contract for every member of the interface to models; settings, pauses, dialects and kept answers alone."""

from __future__ import annotations

import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import planner_cases as cases
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.planner.cache import AnswerCache, request_key
from policies.planner.client import VlmClient
from policies.planner.dialect import Dialect
from policies.planner.errors import PlannerError, VlmDown, VlmRefused
from policies.planner.pictures import smaller
from policies.planner.prompt import request_of
from policies.planner.retrying import Fault, Retrying, retry_after_s
from policies.planner.scripted import ReplayVlm, ScriptedVlm
from policies.planner.settings import VlmSettings
from policies.planner.transport import Completion, Transport, completion
from policies.planner.vlm import Message, Picture, Reply, Request, Vlm, estimate
from spatialmem.errors import InvalidValue, MissingDependency

QUESTIONS = [Request((Message("system", ("be brief",)), Message("user", (f"question {n}", Picture(cases.picture(n))))))
             for n in range(3)]  # fmt: skip


class Echo(Transport):
    """Answers with the number of its call."""

    def __init__(self) -> None:
        self.bodies: list[dict] = []

    def models(self):
        return ("m",)

    def complete(self, body):
        self.bodies.append(dict(body))
        return Completion(f"answer {len(self.bodies)}", 10, 2, "stop")


def client(folder) -> Vlm:
    return VlmClient(VlmSettings("m"), transport=Echo())


def keeping(folder) -> Vlm:
    return VlmClient(VlmSettings("m", cache=folder), transport=Echo())


def replay(folder) -> Vlm:
    with keeping(folder) as kept:
        for question in QUESTIONS:
            kept.ask(question)
    return ReplayVlm(VlmSettings("m", cache=folder))


def listed(folder) -> Vlm:
    return ScriptedVlm(["answer 1", "answer 2", "answer 3"])


def computed(folder) -> Vlm:
    return ScriptedVlm(lambda request: f"answer {int(request.texts[-1].split()[-1]) + 1}")


@pytest.mark.parametrize("make", [client, keeping, replay, listed, computed])
def test_every_model_keeps_the_contract(make, tmp_path):
    with make(tmp_path) as vlm:
        identity = dict(vlm.identity())
        assert {"model", "image_policy"} <= set(identity) and all(isinstance(v, str) for v in identity.values())
        replies = [vlm.ask(question) for question in QUESTIONS]
        assert [reply.text for reply in replies] == ["answer 1", "answer 2", "answer 3"]
        assert all(isinstance(reply, Reply) and reply.images == 1 and reply.tokens_in > 0 for reply in replies)
        used = vlm.usage()
        assert used["calls"] == 3 and used["images"] == 3 and used["cost_usd"] == 0.0
        assert used["tokens"] == sum(reply.tokens_in + reply.tokens_out for reply in replies)
        assert used["cached"] == sum(reply.cached for reply in replies) and vlm.identity() == identity
    vlm.close()
    with pytest.raises(PlannerError, match="was closed; make another one"):
        vlm.ask(QUESTIONS[0])
    assert vlm.usage() == used


def test_what_is_kept_is_not_asked_again(tmp_path):
    transport = Echo()
    for _ in range(2):  # another process, as it were
        with VlmClient(VlmSettings("m", cache=tmp_path), transport=transport) as vlm:
            assert [vlm.ask(question).text for question in QUESTIONS] == ["answer 1", "answer 2", "answer 3"]
    assert len(transport.bodies) == 3 and vlm.usage()["cached"] == 3
    assert not list(tmp_path.glob("*.part"))


def test_a_key_follows_all_that_an_answer_depends_on():
    settings = VlmSettings("m", temperature=0.5)
    usual = request_of(cases.context(), (), asks=False)
    same = [
        replace(settings, base_url="http://a/v1"), replace(settings, timeout_s=1.0), replace(settings, cap_tokens=5),
        replace(settings, usd_per_million_in=1.0), replace(settings, retries=0),
    ]  # fmt: skip
    other = [
        replace(settings, model="n"), replace(settings, temperature=0.0), replace(settings, max_tokens=5),
        replace(settings, image_side_px=64), replace(settings, jpeg_quality=50), replace(settings, detail="low"),
    ]  # fmt: skip
    key = request_key(usual, settings)
    assert {request_key(request_of(cases.context(), (), asks=False), one) for one in same} == {key}
    shown = [cases.context("else"), cases.context(view_rgb=cases.picture(9)), cases.context(map_rgb=None)]
    keys = [request_key(usual, one) for one in other]
    keys += [request_key(request_of(one, (), asks=False), settings) for one in shown]
    keys.append(request_key(Request(usual.messages), settings))
    assert len({key, *keys}) == 1 + len(other) + len(shown) + 1


def test_a_kept_answer_that_is_damaged_is_said_to_be(tmp_path):
    settings = VlmSettings("m", cache=tmp_path)
    cache, key = AnswerCache(tmp_path), request_key(QUESTIONS[0], settings)
    cache.put(key, QUESTIONS[0], Reply("yes", 3, 1, finish="stop"), "m")
    assert cache.get(key) == Reply("yes", 3, 1, cached=True, finish="stop")
    whole = cache.path(key).read_text()
    assert "question 0" in whole and json.loads(whole)["key"] == key
    for damaged in (whole[:40], "[]", whole.replace(key, "0" * 64), whole.replace('"yes"', "3")):
        cache.path(key).write_text(damaged)
        with pytest.raises(PlannerError, match=rf"{key}.json is damaged .*delete it and run again"):
            ReplayVlm(settings).ask(QUESTIONS[0])
    with pytest.raises(InvalidValue, match="which is no folder; run once with VlmClient"):
        ReplayVlm(VlmSettings("m", cache=tmp_path / "none"))


def test_a_script_that_ends_says_so():
    vlm = ScriptedVlm(["one"])
    vlm.ask(QUESTIONS[0])
    with pytest.raises(PlannerError, match="the script has 1 answers and was asked for another"):
        vlm.ask(QUESTIONS[0])
    with pytest.raises(InvalidValue, match="answers are a list"):
        ScriptedVlm("one")


def test_without_the_package_the_command_that_installs_it_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingDependency, match=r"pip install 'spatialmem\[vlm\]'"):
        VlmClient(VlmSettings("m", "http://localhost:1/v1"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": " "}, "model is a name"), ({"base_url": "localhost:8000"}, "base_url begins with http"),
        ({"temperature": 3}, "temperature is a number from 0 to 2; given 3"),
        ({"retries": 1.5}, "retries is a whole number"),
        ({"timeout_s": 0}, "timeout_s"), ({"image_side_px": 8}, "image_side_px"),
        ({"detail": "fine"}, "auto, low or high"),
        ({"cap_usd": 1.0}, "would never be reached without prices"), ({"max_tokens": None}, "max_tokens"),
        ({"jpeg_quality": "85"}, "jpeg_quality"), ({"backoff_s": float("nan")}, "backoff_s"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(given, said):
    with pytest.raises(InvalidValue, match=said):
        VlmSettings(**({"model": "m"} | given))


def test_settings_say_where_requests_go(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://u:p@robot:8000/v1/")
    settings = VlmSettings("m", cache="kept")
    assert settings.url == "http://u:p@robot:8000/v1" and settings.shown_url == "http://robot:8000/v1"
    assert str(settings.cache) == "kept" and VlmSettings("m", "http://b/v1").url == "http://b/v1"
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert VlmSettings("m").url == "https://api.openai.com/v1"


@given(st.integers(0, 6), st.floats(0.0, 4.0), st.integers(0, 99), st.none() | st.floats(0.0, 60.0))
def test_pauses_grow_and_are_bounded(retries, backoff_s, seed, asked_s):
    pauses: list[float] = []
    settings = VlmSettings("m", "http://a/v1", retries=retries, backoff_s=backoff_s, seed=seed, longest_wait_s=60.0)
    retrying = Retrying(settings, pauses.append)

    def fail():
        raise Fault("HTTP 503", 503, asked_s)

    with pytest.raises(VlmDown):
        retrying.call(fail)
    assert retrying.tries == retries + 1 and len(pauses) == retries
    for n, pause_s in enumerate(pauses):
        assert (asked_s or 0.0) <= pause_s <= max(asked_s or 0.0, min(60.0, backoff_s * 2.0**n))
        assert pause_s >= min(60.0, backoff_s * 2.0**n / 2.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
def test_what_does_not_pass_is_not_tried_again(status):
    calls = []

    def fail():
        calls.append(1)
        raise Fault(f"HTTP {status}", status)

    with pytest.raises((VlmRefused, Fault)):
        Retrying(VlmSettings("m"), calls.append).call(fail)
    assert calls == [1]


@pytest.mark.parametrize(
    ("headers", "pause_s"),
    [
        ({}, None), ({"retry-after": "3"}, 3.0), ({"retry-after": "0.5"}, 0.5), ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 40.0), ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None), ({"retry-after": "inf"}, float("inf")),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:10 GMT"}, 0.0),
    ],
)  # fmt: skip
def test_the_pause_that_a_server_asks_for(headers, pause_s):
    assert retry_after_s(headers, now_s=60.0) == pause_s


def test_a_dialect_goes_one_way_and_remembers():
    dialect, sent = Dialect(), []

    def send(options):
        sent.append(sorted(options))
        if "max_tokens" in options:
            raise Fault("use 'max_completion_tokens'", 400)
        if "response_format" in options:
            raise Fault("unknown field", 422)
        return "yes"

    assert dialect.ask({"type": "object"}, 5, send) == "yes" and dialect.form == "plain"
    assert sent == [
        ["max_tokens", "response_format"], ["max_completion_tokens", "response_format"],
        ["max_completion_tokens", "response_format"], ["max_completion_tokens"],
    ]  # fmt: skip
    assert dialect.ask({"type": "object"}, 5, send) == "yes" and len(sent) == 5


def test_parts_of_an_answer_are_put_together():
    choice = {"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}
    assert completion({"choices": [choice], "usage": {"prompt_tokens": -1}}) == Completion("ab", None, None, "")
    assert completion({"choices": [{"message": {"content": None}, "finish_reason": "length"}]}).text == ""


def test_pictures_are_made_smaller_never_larger():
    assert smaller(cases.picture(0, 60, 80), 40).shape == (30, 40, 3)
    assert smaller(cases.picture(0, 80, 60), 40).shape == (40, 30, 3)
    assert smaller(cases.picture(0, 2, 400), 40).shape == (1, 40, 3)
    assert smaller(cases.picture(0, 60, 80), 512) is not None and smaller(cases.picture(0), 512).shape == (60, 80, 3)


def test_tokens_are_reckoned_from_lengths_and_sizes():
    request = Request((Message("user", ("x" * 400, Picture(cases.picture(0, 600, 750)))),))
    assert estimate(request, "y" * 40, 1000) == (700, 10)
    assert estimate(request, "y" * 40, 375) == (250, 10)


def test_the_page_names_every_setting():
    text = (Path(__file__).parents[1] / "docs" / "planner.md").read_text(encoding="utf-8")
    assert [field.name for field in fields(VlmSettings) if f"`{field.name}`" not in text] == []
