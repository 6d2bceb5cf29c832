import pytest

from kit.core.secret_texts import SecretText, find_secrets

NAMES = ("*_TOKEN", "*_PASSWORD", "*_API_KEY")


def found(text: str) -> list[SecretText]:
    (result,) = find_secrets([text], NAMES)
    return result


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('API_TOKEN = "sk-0123abcd4567"', "gives API_TOKEN its value"),
        ("token: str = 'sk-0123abcd4567'", "gives token its value"),
        ('client = Client(api_key="4567abcd0123")', "gives api_key its value"),
        ('headers = {"api_token": "4567abcd0123"}', "gives api_token its value"),
        ('passwd = "4567abcd0123"', "looks like a Secret Keyword"),
        ('con = connect("postgresql://me:s3cr3t-pw@db/shop")', "looks like a Basic Auth Credentials"),
        ('key = "AKIAIOSFODNN7EXAMPLE"', "looks like an AWS Access Key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "looks like a Private Key"),
    ],
)
def test_secrets(line: str, kind: str) -> None:
    assert found(f"import os\n{line}\n") == [(2, kind)]


@pytest.mark.parametrize(
    "line",
    [
        'API_TOKEN = os.environ["API_TOKEN"]',
        'rest("api.yaml", secrets_env={"api_key": "SHOP_API_KEY"})',
        'token = "<your token>"',
        "password = \"{{ env_var('SHOP_PASSWORD') }}\"",
        "postgresql://USER:PASSWORD@HOST/DATABASE",
        'tokens = "tea"',
        'digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"',
        'token = "sk-0123abcd4567"  # pragma: allowlist secret',
    ],
)
def test_texts_that_are_none(line: str) -> None:
    assert found(line) == []


def test_each_text_has_its_own_lines() -> None:
    texts = ['a_token = "abcd0123"\n\nb_password = "abcd0123"', "", "\n" + 'api_key = "abcd0123"']
    assert [[secret.line for secret in lines] for lines in find_secrets(texts, NAMES)] == [[1, 3], [], [2]]


def test_nothing_is_sent_to_try_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(socket, "socket", None)
    assert found('github = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"') == [(1, "looks like a GitHub Token")]
