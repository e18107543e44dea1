"""The encoder of one memory: the one it was made with, and no other."""

from __future__ import annotations

from typing import final

from spatialmem.errors import EncoderMismatch
from spatialmem.perception import Encoder, load_encoder
from spatialmem.store.file import MemoryFile


@final
class OwnEncoder:
    """Loaded when it is first needed."""

    def __init__(self, file: MemoryFile | None, encoder: Encoder | None) -> None:
        """encoder: where it is loaded already; an ephemeral memory, without a file, must give it."""
        self._file, self._encoder = file, encoder

    def get(self) -> Encoder:
        """The encoder; raises `EncoderMismatch` when what is installed is not the one the memory was made with."""
        if self._encoder is None:
            assert self._file is not None
            return self.use(load_encoder(str(self._file.get_meta("encoder_name"))))
        return self._encoder

    def use(self, encoder: Encoder) -> Encoder:
        """Take this encoder; it must be the one the memory was made with."""
        if encoder is self._encoder:
            return encoder
        assert self._file is not None
        wanted = self._file.get_meta("encoder_fingerprint")
        if encoder.fingerprint != wanted:
            raise EncoderMismatch(
                f"this memory was made with encoder {self._file.get_meta('encoder_name')!r}, fingerprint "
                f"{str(wanted)[:12]}; {encoder.name!r} here has fingerprint {encoder.fingerprint[:12]}, so features "
                "cannot be compared. Install the encoder it was made with, or move the memory to another: "
                "spatialmem rebuild FILE --encoder NAME"
            )
        self._encoder = encoder
        return encoder

    @property
    def name(self) -> str | None:
        """Its name, whether or not it can be loaded here."""
        named = None if self._file is None else self._file.get_meta("encoder_name")
        return named or (None if self._encoder is None else self._encoder.name)
