"""A question before it has words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sim.scene import SceneObject
from sim.tasks.eqa.inventory import Inventory
from sim.tasks.eqa.knowledge import knowledge
from sim.tasks.eqa.matching import matches

YES, NO = ("yes", ("no",)), ("no", ("yes",))
"""an answer and what else one could say"""


@dataclass(frozen=True)
class Draft:
    """What can be asked of a scene, with its truth."""

    kind: str
    """which wordings fit, see wordings.json"""
    slots: Mapping[str, str]
    """what is put into them; "use" names an entry of the knowledge's uses"""
    answers: tuple[str, ...]
    """every right answer; the first is the one to print"""
    wrong: tuple[str, ...]
    """wrong answers that might be right elsewhere"""
    needs: tuple[str, ...]
    """object_ids of what has to be seen"""
    subject: str = ""
    """what blind guessing could go by: a category, a use, a group"""
    guess: str = ""
    """the answer as such guessing would put it"""


def draft(
    kind: str, slots: Mapping[str, str | None], answers: Iterable[str], wrong: Iterable[str],
    needs: Iterable[str], subject: str = "", guess: str = "",
) -> list[Draft]:  # fmt: skip
    """The question, or none: when a name is missing, or when nothing else could be answered."""
    words = {key: word for key, word in slots.items() if word}
    right, sights = tuple(dict.fromkeys(answers)), tuple(dict.fromkeys(needs))
    if len(words) < len(slots) or not right:
        return []
    others = tuple(w for w in dict.fromkeys(wrong) if not matches(w, right))
    return [Draft(kind, words, right, others, sights, subject, guess or right[0])] if others and sights else []


def number(count: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A count as answers, and others: the small ones all have the same, so that what is offered tells nothing."""
    first = max(1, count - 3 + count * 7 % 4)  # where the right one lies among the four is as even as counts are
    others = [n for n in (range(1, 5) if 1 <= count <= 4 else range(first, first + 4)) if n != count]
    return (str(count), WORDS[count]) if count < len(WORDS) else (str(count),), tuple(str(n) for n in others)


_COLOURS = tuple("red orange yellow green turquoise blue purple pink brown beige white grey black".split())
WORDS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def colours_of(colour: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A colour as answers, and the other ones; wood tones take the place of brown where they can be told apart."""
    known = knowledge().colours
    right = (colour, *known.get(colour, ()))
    return right, tuple(c for c in _COLOURS if c not in right)


def materials_of(material: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A material as answers, and the other ones."""
    known = knowledge().materials
    right = (material, *known.get(material, ()))
    return right, tuple(m for m in known if m not in right)


def either(right: str, other: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Answers to "a or b?" where both are named in the question."""
    return (right, right.removeprefix("the ")), (other,)


def others_like(inventory: Inventory, thing: SceneObject) -> list[str]:
    """Names of other things of the scene that are furniture, or small, as this one is."""
    said = {
        inventory.kind(o).said
        for o in inventory.things
        if o.group == thing.group and o.category != thing.category and not inventory.kind(o).vague
    }
    return sorted(said)
