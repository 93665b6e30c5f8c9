"""What Ctrl-C (SIGINT) and SIGTERM do to the program: it stops with one line, and no process of its own is left."""

import atexit
import os
import signal
import sys
import time
from types import FrameType

PATIENCE = 10.0  # seconds in which the program is to stop by itself
AGAIN = 0.05  # seconds until an interrupt comes again that a destructor swallowed
SAID = "lipbench: stopped; the same command goes on from here"
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """The signals of one process, from `listen` to `end`.

    The first raises KeyboardInterrupt. A second one, or `PATIENCE` seconds without an end, ends the process at once:
    what it was at goes on from its checkpoint, and its workers end with it.
    """

    def __init__(self) -> None:
        self._process, self._signal, self._since, self._told = os.getpid(), 0, 0.0, False

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return bool(self._signal)

    def listen(self) -> None:
        """From now on. What is ignored stays ignored: Ctrl-C in a job that a shell started in the background."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._stop)
        signal.signal(signal.SIGALRM, self._remind)
        atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)  # is called last; after that the alarm would kill
        sys.unraisablehook = self._unraisable

    def say(self) -> int:
        """Tells the user, once; the exit status, as shells have it."""
        if not self._told:
            self._told = True
            print(SAID, file=sys.stderr, flush=True)
        return 128 + (self._signal or signal.SIGINT)

    def end(self) -> None:
        """The program is over: no signal changes how it ended."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if self._signal:
            signal.setitimer(signal.ITIMER_REAL, max(self._since + PATIENCE - time.monotonic(), 0.0) + AGAIN)
        # Of an interrupt that came within text that was executed, as dataclasses do, Python remembers that nobody
        # caught it there, and would end with SIGINT rather than our status; the next text makes it forget.
        exec("")

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a copy of the process, which shares a picture's drawing
            os._exit(128 + number)
        if self._signal:
            self._exit()
        self._signal, self._since = number, time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        raise KeyboardInterrupt

    def _remind(self, number: int, frame: FrameType | None) -> None:
        left = self._since + PATIENCE - time.monotonic()
        if left <= 0:
            self._exit()
        signal.setitimer(signal.ITIMER_REAL, left)
        raise KeyboardInterrupt

    def _exit(self) -> None:
        if not self._told:
            os.write(2, f"{SAID}\n".encode())  # past the stream, which may be in use
        if sys.stdout.isatty():
            os.write(1, b"\x1b[?25h")  # the display of a sweep hides the cursor
        os._exit(128 + self._signal)

    def _unraisable(self, event: "sys.UnraisableHookArgs") -> None:
        if self._signal and event.exc_type is not None and issubclass(event.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
        else:
            sys.__unraisablehook__(event)
