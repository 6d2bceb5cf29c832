from kit.language_models.answer import Question
from kit.language_models.prompt_secrets import without_secrets


def sent(text: str) -> str:
    question = Question(({"role": "user", "content": text},))
    return without_secrets(question, ["*_TOKEN"], lambda given: given.replace("known-value", "[KNOWN]")).prompt


def test_ordinary_text_stays_as_it_is() -> None:
    text = "def f(x):\n    return x + 1\n\nWhy does this fail for None?"
    assert sent(text) == text


def test_lines_with_a_secret_are_left_out_whatever_comment_they_have() -> None:
    text = "before known-value\nshop_token = 'abcdefgh12'  # pragma: allowlist secret\nafter"
    assert sent(text) == "before [KNOWN]\n[left out: this line gives shop_token its value]\nafter"
    assert sent("a\u2028shop_token = 'abcdefgh12'\u2028c").split("\n")[2] == "c"


def test_a_private_key_goes_as_a_whole_even_without_its_end() -> None:
    begin = "-----BEGIN " + "PRIVATE KEY-----"
    assert sent(f"a\n{begin}\nMIIE\nabc") == "a\n[left out: a private key]"
