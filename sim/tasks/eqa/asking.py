"""Questions for a scene: drawn so that answers are even, put into words of a split, with choices when asked for."""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sim.errors import InvalidSetting
from sim.scene import Scene
from sim.tasks.episode import Goal
from sim.tasks.eqa import arrange, localise, reason, recognise
from sim.tasks.eqa.draft import Draft
from sim.tasks.eqa.frozen import common, wording_set, wordings
from sim.tasks.eqa.inventory import Inventory
from sim.tasks.eqa.knowledge import knowledge
from sim.tasks.eqa.matching import matches, normalised

Drafter = Callable[[Inventory], Iterator[Draft]]
CATEGORIES: dict[str, tuple[Drafter, ...]] = {
    "object recognition": (recognise.what_held, recognise.what_colour_held, recognise.what_made_of),
    "attribute recognition": (recognise.colour, recognise.material, recognise.pattern, recognise.same_colour),
    "spatial understanding": (
        arrange.same_room, arrange.nearer, arrange.taller, arrange.storey, arrange.count_room, arrange.count_house,
        arrange.count_held,
    ),
    "object state recognition": (arrange.occupied, arrange.empty, arrange.seat_free, arrange.door_state),
    "functional reasoning": (reason.use_room, reason.use_support, reason.use_any, reason.use_colour),
    "world knowledge": (
        reason.group_any, reason.group_which, reason.group_count, reason.group_room, reason.sleepers, reason.storeys,
    ),
    "object localization": (localise.room, localise.support, localise.where),
}  # fmt: skip
"""OpenEQA's categories, by its names -> what asks such questions, each named as its wordings are"""
KINDS: dict[str, str] = {drafter.__name__: category for category, group in CATEGORIES.items() for drafter in group}
"""kind -> category"""
TWO_VALUED = frozenset(("same_colour", "same_room", "storey", "occupied", "empty", "seat_free", "door_state", "use_any",
                        "group_any"))  # fmt: skip
"""asked of a scene only where both answers can be had there, so that each is right half of the time"""
_OPTIONS = 4


@dataclass(frozen=True)
class Asking:
    """How questions are put."""

    split: str
    choices: bool = False
    seed: int = 0


def ask(scene: Scene, asking: Asking, count: int) -> tuple[Goal, ...]:
    """Up to `count` different questions of a scene as it is now, categories in turn; the same ones every time.

    Every prefix is a prefix of a longer one. Fewer come back where the scene offers no more.
    """
    if count < 1:
        raise InvalidSetting(f"count must be at least 1; given {count}")
    inventory = Inventory(scene)
    rng = np.random.default_rng([asking.seed, zlib.crc32(scene.scene_id.encode()), 17])
    order = [list(CATEGORIES)[i] for i in rng.permutation(len(CATEGORIES))]
    drawers = {category: _drawn(inventory, category, rng.spawn(1)[0]) for category in order}
    wording = rng.spawn(1)[0]
    goals: list[Goal] = []
    while drawers and len(goals) < count:
        for category in [c for c in order if c in drawers][: count - len(goals)]:
            found = next(drawers[category], None)
            if found is None:
                del drawers[category]
            else:
                goals.append(_goal(found, asking, wording))
    return tuple(goals)


def _drawn(inventory: Inventory, category: str, rng: np.random.Generator) -> Iterator[Draft]:
    """Questions of a category: first the kind is drawn, then the answer, then who is asked about, all evenly."""
    pools: dict[str, dict[str, list[Draft]]] = {}
    left = list(CATEGORIES[category])
    while left:
        drafter = left[int(rng.integers(len(left)))]
        kind = drafter.__name__
        if kind not in pools:
            pools[kind] = _by_answer(drafter(inventory))
        pool = pools[kind]
        if kind in TWO_VALUED and len(pool) < 2:
            left.remove(drafter)
            continue
        found = _one_of(inventory, pool, rng)
        if found is None:
            left.remove(drafter)
        else:
            yield found


def _by_answer(drafts: Iterator[Draft]) -> dict[str, list[Draft]]:
    pool: dict[str, list[Draft]] = defaultdict(list)
    for found in drafts:
        pool[normalised(found.answers[0])].append(found)
    return dict(sorted(pool.items()))


def _one_of(inventory: Inventory, pool: dict[str, list[Draft]], rng: np.random.Generator) -> Draft | None:
    """A draft whose things can all be looked at; it leaves the pool, and so do those that ask the same of the same."""
    while pool:
        answer = list(pool)[int(rng.integers(len(pool)))]
        drafts = pool[answer]
        found = _drawn_from(drafts, rng)
        drafts[:] = [d for d in drafts if d is not found and set(d.needs) != set(found.needs)]
        if not drafts:
            del pool[answer]
        if all(inventory.viewable(inventory.by_id[i]) for i in found.needs):
            return found
    return None


def _drawn_from(drafts: list[Draft], rng: np.random.Generator) -> Draft:
    """One of several with the same answer: subjects evenly, but for those of which everybody would guess it."""
    alike = Counter(d.subject for d in drafts)
    weights = np.array([1.0 / (alike[d.subject] * likely(d.kind, d.subject, d.guess)) for d in drafts])
    return drafts[int(rng.choice(len(drafts), p=weights / weights.sum()))]


def likely(kind: str, subject: str, answer: str) -> float:
    """How probable an answer is to who knows train houses and what is asked about, not which house it is in."""
    counts = common().get(kind, {}).get(subject, {})
    return (counts.get(normalised(answer), 0) + 1.0) / (sum(counts.values()) + max(len(counts), 2))


def _goal(draft: Draft, asking: Asking, rng: np.random.Generator) -> Goal:
    text, wording = worded(draft, wording_set(asking.split), rng)
    options = offered(draft, rng)
    return Goal(
        kind="question", text=text, category=KINDS[draft.kind], object_ids=draft.needs,
        choices=options if asking.choices else (),
        answers=tuple(o for o in options if matches(o, draft.answers)) if asking.choices else draft.answers,
        extra={"kind": draft.kind, "wording": wording, "subject": draft.subject},
    )  # fmt: skip


def worded(draft: Draft, name: str, rng: np.random.Generator) -> tuple[str, int]:
    """A question in words of a set ("train", "test"), and which of them they are."""
    lines = wordings()[draft.kind][name]
    chosen = int(rng.integers(len(lines)))
    slots = dict(draft.slots)
    if "use" in slots:
        phrases = knowledge().uses[slots["use"]].phrases[name]
        slots["use"] = phrases[int(rng.integers(len(phrases)))]
    text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", lines[chosen].format(**slots))
    if "scope" in slots:
        text = f"in {slots['scope']}: {text}"
    return text[0].upper() + text[1:], chosen


def offered(draft: Draft, rng: np.random.Generator) -> tuple[str, ...]:
    """What to choose from: one right answer and up to three wrong ones, likely ones before others.

    Yes comes before no, numbers are in order.
    """
    right = draft.answers[0]
    taken: list[str] = []
    chances = np.array([likely(draft.kind, draft.subject, w) for w in draft.wrong])
    for i in rng.choice(len(chances), len(chances), replace=False, p=chances / chances.sum()):
        if not matches(draft.wrong[i], (right, *taken)) and len(taken) < _OPTIONS - 1:
            taken.append(draft.wrong[i])
    return _ordered([right, *taken], rng)


def _ordered(options: list[str], rng: np.random.Generator) -> tuple[str, ...]:
    shuffled = [options[int(i)] for i in rng.permutation(len(options))]
    if set(options) == {"yes", "no"}:
        return ("yes", "no")
    return tuple(sorted(shuffled, key=int)) if all(o.isdigit() for o in options) else tuple(shuffled)
