"""The way from the kernel of a notebook to its build, which asks language models for it: a pair of connected sockets.

The kernel has no key of a model and cannot open the storage. No other process reaches the sockets: they have no address.
"""

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import Any

from kit.core import KitError, ModelError
from kit.language_models import Answer, Question

CHANNEL = "KIT_MODEL_CHANNEL"
"""Environment variable a build sets for its notebooks: the number of the descriptor of their end."""

_LARGEST = 16_000_000
"""Bytes of a question."""

Ask = Callable[[str, Question], Answer]

_lock = Lock()


class ModelChannel:
    """The end of the build: answers the questions of one kernel with `ask`, one after another, until it is closed."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._own, self._theirs = socket.socketpair()
        Thread(target=self._serve, name="model-channel", daemon=True).start()

    @property
    def descriptor(self) -> int:
        """The descriptor that the kernel inherits."""
        return self._theirs.fileno()

    def started(self) -> None:
        """Leave the other end to the kernel: when it ends, this end is over too."""
        self._theirs.close()

    def close(self) -> None:
        """End the channel; a request that is on its way is not waited for."""
        for end in (self._own, self._theirs):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _serve(self) -> None:
        with suppress(OSError, ValueError), self._own.makefile("rwb") as stream:
            while line := stream.readline(_LARGEST):
                stream.write(json.dumps(self._reply(line)).encode() + b"\n")
                stream.flush()

    def _reply(self, line: bytes) -> dict[str, Any]:
        try:
            data = json.loads(line)
            return {"answer": self._ask(str(data["model"]), Question.from_json(data["question"])).to_json()}
        except KitError as error:
            return {"error": str(error)}
        except Exception as error:  # the notebook gets it, whatever it is
            return {"error": f"{type(error).__name__}: {error}"}


def is_open() -> bool:
    """Whether this process is the kernel of a build."""
    return CHANNEL in os.environ


def ask_build(name: str, question: Question) -> Answer:
    """Let the build of this kernel ask a model; raises `ModelError`."""
    text = json.dumps({"model": name, "question": question.to_json()}).encode() + b"\n"
    if len(text) > _LARGEST:
        raise ModelError(f"the prompt has {len(text):,} bytes; a question has at most {_LARGEST:,}")
    with (
        _lock,
        socket.fromfd(int(os.environ[CHANNEL]), socket.AF_UNIX, socket.SOCK_STREAM) as channel,
        channel.makefile("rwb") as stream,
    ):
        stream.write(text)
        stream.flush()
        line = stream.readline()
    if not line:
        raise ModelError(f"the build gave no answer of the model '{name}'; it has ended")
    data = json.loads(line)
    if "error" in data:
        raise ModelError(data["error"])
    return Answer.from_json(data["answer"])
