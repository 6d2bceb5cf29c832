from pathlib import Path

import pytest

from kit.core import Config, ModelSettings, Secrets
from kit.core.errors import ConfigError

FULL = """
[tool.kit]
[tool.kit.models.acme]
base_url = "https://models.example.com/v1/"
model = "large"
key_env = "ACME_KEY"
temperature = 0.2
max_tokens = 500
timeout_seconds = 30
token_budget = 100000
cost_budget = 2.5
input_price = 3
output_price = 15.0
options = {top_p = 0.9}
[tool.kit.models.demo]
answers = "domains/bugs/answers.json"
"""


def load(root: Path, text: str) -> Config:
    (root / "pyproject.toml").write_text(text)
    return Config.load(root, {})


def test_models_are_read_with_all_settings(tmp_path: Path) -> None:
    models = load(tmp_path, FULL).models
    assert models["acme"] == ModelSettings(
        "acme", "https://models.example.com/v1", "large", "ACME_KEY", 0.2, 500, 30, 100_000, 2.5, 3, 15.0, {"top_p": 0.9}
    )
    assert models["demo"] == ModelSettings("demo", model="fixture", answers=tmp_path / "domains/bugs/answers.json")
    assert models["acme"].cost(1_000_000, 100_000) == 4.5
    assert models["demo"].cost(1, 1) is None


def test_the_variable_of_a_key_is_a_secret(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)
    secrets = Secrets.from_environment(config, {"ACME_KEY": "k-123456", "SHOP_TOKEN": "t-123456"})
    assert secrets.scrubbed("k-123456 and t-123456") == "[ACME_KEY] and [SHOP_TOKEN]"


def test_another_model_or_other_committed_answers_have_another_digest(tmp_path: Path) -> None:
    models = load(tmp_path, FULL).models
    missing = models["demo"].digest()
    answers = tmp_path / "domains/bugs/answers.json"
    answers.parent.mkdir(parents=True)
    answers.write_text('{"1": "a"}')
    first = models["demo"].digest()
    answers.write_text('{"1": "b"}')
    assert len({missing, first, models["demo"].digest()}) == 3
    assert load(tmp_path, FULL.replace('"large"', '"small"')).models["acme"].digest() != models["acme"].digest()
    assert load(tmp_path, FULL.replace("cost_budget = 2.5", "")).models["acme"].digest() == models["acme"].digest()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('base_url = "https://models.example.com/v1/"', "", "has no base_url; give base_url and model"),
        ('"https://models.example.com/v1/"', '"https://u:p@models.example.com"', "it must be the address of a server"),
        ('"https://models.example.com/v1/"', '"ftp://models.example.com"', "it must be the address of a server"),
        ('"https://models.example.com/v1/"', '"https://models.example.com?key=1"', "it must be the address of a server"),
        ('"ACME_KEY"', '"the key"', "key_env is 'the key'; it must be the name of an environment variable"),
        ("max_tokens = 500", "max_tokens = 0", "max_tokens is 0; it must be a whole number above 0"),
        ("temperature = 0.2", "temperature = true", "temperature is True; it must be a number, at least 0"),
        ("output_price = 15.0", "", "a cost needs input_price and output_price"),
        ("{top_p = 0.9}", "{stream = true}", "options is {'stream': True}; it must be a table of further fields"),
        ("temperature = 0.2", "temprature = 0.2", "has no setting 'temprature'; there are: base_url, model, key_env"),
        ("[tool.kit.models.acme]", '[tool.kit.models."a b"]', "'a b' is no name of a model"),
        (
            'answers = "domains/bugs/answers.json"',
            'answers = "a.json"\ncost_budget = 1',
            "committed answers have no cost_budget",
        ),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in FULL
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, FULL.replace(old, new))
    assert says in str(raised.value)
    assert "[tool.kit.models." in str(raised.value)
