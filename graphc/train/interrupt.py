"""Ctrl-C between two steps, never inside one."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interrupt:
    """While it is entered, the first SIGINT sets ``requested``; a second one interrupts as usual.

    Outside of the main thread, and where the program has a handler of its own, nothing changes.
    """

    __slots__ = ("_owns", "requested")

    def __init__(self) -> None:
        self.requested = self._owns = False

    def __enter__(self) -> Interrupt:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._request)
            self._owns = True
        return self

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._release()

    def _release(self) -> None:
        if self._owns:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._owns = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()


__all__ = ["Interrupt"]
