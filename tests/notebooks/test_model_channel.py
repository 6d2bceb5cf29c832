import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from kit.core import ModelError
from kit.language_models import Answer, Question
from kit.notebooks.model_channel import CHANNEL, ModelChannel, ask_build, is_open

QUESTION = Question(({"role": "user", "content": "Which cheese\nis blue? é"},), "k", ("c1",), 7)


def answer(name: str, question: Question) -> Answer:
    if name == "gone":
        raise ModelError("the model 'gone' gave no answer")
    if name == "bug":
        raise ValueError("a bug")
    return Answer(question.prompt.upper(), name, "small", question.prompt, question.context, 1, 2, 0.5, 0.25)


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelChannel]:
    opened = ModelChannel(answer)
    monkeypatch.setenv(CHANNEL, str(opened.descriptor))
    yield opened
    opened.close()


def test_questions_and_answers_pass_as_they_are(channel: ModelChannel) -> None:
    assert is_open()
    assert ask_build("acme", QUESTION) == answer("acme", QUESTION)
    for name, says in (("gone", "the model 'gone' gave no answer"), ("bug", "ValueError: a bug")):
        with pytest.raises(ModelError, match=says):
            ask_build(name, QUESTION)
    assert ask_build("acme", QUESTION).text == "WHICH CHEESE\nIS BLUE? É"


def test_threads_of_a_notebook_get_their_own_answers(channel: ModelChannel) -> None:
    got: dict[int, str] = {}

    def ask(number: int) -> None:
        got[number] = ask_build("acme", Question(({"role": "user", "content": f"q{number}"},))).text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {number: f"Q{number}" for number in range(20)}


def test_another_process_asks_by_the_descriptor_that_it_inherits() -> None:
    channel = ModelChannel(answer)
    code = (
        "from kit.notebooks.asking import model\nprint(model('acme').ask('hello', context=['c1']).text)\n"
        "try: model('gone').ask('x')\nexcept Exception as error: print(type(error).__name__, error)"
    )
    environment = {**os.environ, CHANNEL: str(channel.descriptor)}
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, pass_fds=[channel.descriptor], stdout=subprocess.PIPE, text=True
    )
    channel.started()
    output, _ = child.communicate()
    channel.close()
    assert output == "HELLO\nModelError the model 'gone' gave no answer\n"


def test_a_build_that_has_ended_is_named(channel: ModelChannel) -> None:
    channel._own.shutdown(2)
    with pytest.raises((ModelError, OSError)):
        ask_build("acme", QUESTION)


def test_nonsense_in_the_channel_is_an_error_of_the_asker(channel: ModelChannel) -> None:
    assert channel._reply(b"{}\n") == {"error": "KeyError: 'model'"}
    assert channel._reply(b"x\n")["error"].startswith("JSONDecodeError: ")
