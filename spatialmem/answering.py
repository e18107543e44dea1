"""Answering a question from one epoch of the map: scan, regions, what has gone, what is known of the place."""

from __future__ import annotations

from typing import final

from spatialmem.keeper import Keeper
from spatialmem.map_epoch import MapEpoch
from spatialmem.question import Question
from spatialmem.retrieval.departed import DepartedTable, departed_hits
from spatialmem.retrieval.hits import Scene, Seen, build_hits, merge_ranked
from spatialmem.retrieval.place import what_is_there
from spatialmem.retrieval.sifting import sifted
from spatialmem.types import Answer
from spatialmem.voxels.search import Candidates, Filter


def scene_of(keeper: Keeper, epoch: MapEpoch) -> Scene:
    """What hits in an epoch are described with."""
    return Scene(
        keeper.rows, keeper.places.map_from_camera, epoch.stamps_ns, keeper.config.voxel_size_m, epoch.free.last_looked
    )


@final
class Answering:
    """Answers for one memory. Any number of threads may ask."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._departed: tuple[MapEpoch | None, DepartedTable] = (None, DepartedTable.of((), keeper.feature_width))

    def hopeless(self, question: Question) -> Answer:
        """The answer to a question of which no word can be known."""
        return Answer((), question.unknown_words, question.calibrated)

    def answer(self, question: Question, epoch: MapEpoch, top: int) -> Answer:
        """The best `top` hits, those that have gone last."""
        chosen, calibrated = question.filter(epoch.stamps_ns), question.calibrated
        found = epoch.surface.search(question.vector, question.least, chosen)
        if question.sifts and question.score is not None:
            found = sifted(found, question.score, question.hit_score)
        scene = scene_of(self._keeper, epoch)
        present = build_hits(found, question.score, question.hit_score, calibrated, top, scene)
        hits = merge_ranked(present, self._gone(question, chosen, scene, epoch), top)
        place = None if hits else what_is_there(chosen, self._keeper.config.free_voxel_m, epoch.free.states)
        return Answer(hits, question.unknown_words, calibrated, found.scanned, _not_searched(found), place)

    def _gone(self, question: Question, chosen: Filter, scene: Scene, epoch: MapEpoch) -> list[Seen]:
        made_of, table = self._departed
        if not epoch.same_departed(made_of):
            table = DepartedTable.of(epoch.departed, self._keeper.feature_width)
            self._departed = (epoch, table)
        score = None if question.score is None else question.score_of_alike
        return departed_hits(table, score, question.hit_score, question.calibrated, chosen, scene)


def _not_searched(found: Candidates) -> str:
    parts = []
    if found.left_out:
        parts.append(
            f"{found.left_out} voxel blocks on file may hold more, and there was no room to read them: name a smaller "
            "place"
        )
    if found.unscored:
        parts.append(
            f"{found.unscored} surface voxels are somewhat like what is asked, and were too many to be scored: name a "
            "smaller place"
        )
    if found.without_feature:
        parts.append(f"{found.without_feature} surface voxels hold no feature yet: their frames were not encoded")
    return "; ".join(parts)
