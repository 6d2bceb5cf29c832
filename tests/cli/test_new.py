import json
from shlex import split
from shutil import rmtree

import pytest
from typer.testing import CliRunner

from kit.cli.main import app
from kit.core.errors import KitError
from tests.cli.test_prompts import NOBODY, at_a_terminal
from tests.scaffold.test_new import tree
from tests.support.small_mesh import SmallMesh, write


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)


def refused(*arguments: str) -> str:
    """The message of `kit new` without a terminal, with arguments that it does not take."""
    done = CliRunner().invoke(app, ["new", *arguments])
    assert isinstance(done.exception, KitError)
    assert done.stdout == ""
    return str(done.exception)


def test_a_product_is_made_with_its_files_and_the_next_steps_named(small: SmallMesh) -> None:
    write(small.root / "visits.csv", "visit_id,paid\n1,2.50\n2,3.00\n")
    given = ["new", "tearoom", "--owner", "Ann Lee <ann@example.com>", "--domain", "retail", "--from", "visits.csv"]
    done = CliRunner().invoke(app, given)
    assert (done.exit_code, done.exception) == (0, None)
    written, _, following = done.stdout.partition("\nNext\n")
    assert "written: domains/tearoom/product.odps.yaml" in written.splitlines()
    assert following.splitlines() == [
        "  1. replace each TODO below domains/tearoom; `kit check` lists them",
        "  2. kit run tearoom",
        "  3. kit read tearoom.visits",
    ]
    product = small.mesh.product("tearoom")
    assert (product.owner, product.owner_contact, product.domain) == ("Ann Lee", "ann@example.com", "retail")


def test_the_format_of_a_file_is_given_and_questions_are_printed(small: SmallMesh) -> None:
    (small.root / "visits.csv").write_bytes("name;paid;at\nZo\xeb;1,50;NA\nBo;2,00;2024-01-31\n".encode("latin-1"))
    given = ["tearoom", "--owner", "Ann Lee <ann@example.com>", "--from", "visits.csv"]
    problem = "visits.csv is not UTF-8: line 2 holds the byte 0xeb; if it is latin-1, add --csv encoding=latin-1"
    assert refused(*given) == problem
    done = CliRunner().invoke(app, ["new", *given, "--csv", "encoding=latin-1"])
    assert (done.exit_code, done.exception) == (0, None)
    assert done.stdout.partition("\nQuestions\n")[2].partition("\n\n")[0].splitlines() == [
        "  paid is text: is it a decimal(18,2)? Then declare decimalComma: true in csv, and the type decimal(18,2)",
        "  at is text: does 'NA' mean that a value is missing? Then declare nullMarkers: [\"NA\"] in csv, and the type date",
        "  To declare it from the start, remove these files and add --csv nullMarkers=NA --csv decimalComma=true",
    ]


def test_the_options_that_are_printed_are_accepted_as_they_are(small: SmallMesh) -> None:
    write(small.root / "visits.csv", "name;paid;at;age\nZoe;1,50;\\N;3\nBo;2,00;2024-01-31;<NA>\n")
    given = ["new", "tearoom", "--owner", "Ann Lee <ann@example.com>", "--from", "visits.csv"]
    done = CliRunner().invoke(app, given)
    (options,) = (line.partition(" add ")[2] for line in done.stdout.splitlines() if "from the start" in line)
    assert options == "--csv 'nullMarkers=\\N,<NA>' --csv decimalComma=true"
    rmtree(small.domains / "tearoom")
    done = CliRunner().invoke(app, [*given, *split(options)])
    assert (done.exit_code, "Questions" in done.stdout) == (0, False)
    (source,) = small.mesh.product("tearoom").sources
    assert [column.type for column in source.contract.columns] == ["varchar", "decimal(18,2)", "date", "bigint"]


def test_the_owner_is_the_user_of_git_and_the_domain_the_name(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    write(small.root / "gitconfig", "[user]\nname = Bo\nemail = bo@example.com\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(small.root / "gitconfig"))
    assert CliRunner().invoke(app, ["new", "tearoom"]).exit_code == 0
    product = small.mesh.product("tearoom")
    assert (product.owner, product.owner_contact, product.domain) == ("Bo", "bo@example.com", "tearoom")


def test_a_notebook_is_added_with_the_ports_it_reads(small: SmallMesh) -> None:
    done = CliRunner().invoke(app, ["new", "notebook", "plan.again", "--reads", "shop.sales", "--reads", "shop.totals"])
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "  3. kit read plan.again")
    cells = json.loads((small.domains / "plan/notebooks/again.ipynb").read_text())["cells"]
    assert [name for name in ("shop.sales", "shop.totals") if name in json.dumps(cells)] == ["shop.sales", "shop.totals"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "say what to make: kit new NAME, or kit new port PRODUCT.PORT"),
        (["tearoom"], "the owner is missing; write --owner 'Name <mail>', or set user.name and user.email in git"),
        (["port", "shop.more"], "say what 'shop.more' is made from: --from FILE or --from PORT"),
        (["port"], "'kit new port' takes the new port; write kit new port PRODUCT.PORT"),
        (["notebook"], "'kit new notebook' takes the new port; write kit new notebook PRODUCT.PORT"),
        (["port", "shop.more", "--domain", "x"], "--domain is for a new product; 'shop.more' belongs to one that has it"),
        (
            ["notebook", "plan.a", "--from", "a.ipynb"],
            "an existing notebook is promoted: kit promote a.ipynb --product plan --port a",
        ),
        (["port", "shop.more", "--reads", "shop.sales"], "--reads is for 'kit new notebook'; use --from PORT"),
        (["tearoom", "--reads", "shop.sales"], "--reads is for 'kit new notebook'; use --from PORT"),
        (
            ["notebook", "plan.a", "--csv", "openEnd=true"],
            "--csv is for a CSV file, named by --from; a notebook is made from none",
        ),
        (["tearoom", "more"], "'tearoom more' is not understood; write kit new NAME, or kit new port, source or notebook …"),
    ],
)
def test_without_a_terminal_one_message_names_what_is_wrong(small: SmallMesh, arguments: list[str], says: str) -> None:
    before = tree(small.root)
    assert refused(*arguments) == says
    assert tree(small.root) == before


def test_a_person_may_stop_answering(small: SmallMesh) -> None:
    code, said = at_a_terminal(small.root, ["new", "tearoom"], ["\x04"])  # end of input
    assert (code, said[-1]) == (130, "interrupted; nothing was written")
    assert not (small.domains / "tearoom").exists()


def test_a_source_needs_its_file_and_options_of_dbt_a_project(small: SmallMesh) -> None:
    write(small.root / "visits.csv", "visit_id,paid\n1,2.50\n")
    assert refused("source") == "'kit new source' takes the new source; write kit new source PRODUCT.SOURCE"
    assert refused("source", "shop.visits") == (
        "say what 'shop.visits' is made from: --from FILE, or a connector such as --from 'postgres:SHOP_DSN?table=sales.orders'"
    )
    assert refused("source", "shop.visits", "--from-dbt", "x") == (
        "--from-dbt is for a new product; 'shop.visits' belongs to one that has it"
    )
    done = CliRunner().invoke(app, ["new", "source", "shop.visits", "--from", "visits.csv"])
    assert (done.exit_code, done.exception) == (0, None)
    assert "written: domains/shop/sources/visits.odcs.yaml" in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1] == "  3. kit run shop"
    given = ["tearoom", "--owner", "Ann Lee <ann@example.com>"]
    assert refused(*given, "--from-dbt", "x", "--from", "visits.csv") == (
        "--from and --from-dbt are both given; a product is made from one of them"
    )
    assert refused(*given, "--source", "a=b").startswith("--source is for --from-dbt, whose project declares it")
    assert refused(*given, "--port", "a", "--port", "b") == (
        "--port b: a new product has one port; add it with kit new port tearoom.b"
    )
    assert refused(*given, "--from-dbt", "x") == (
        "x is no folder; name the folder of a dbt project, which has a dbt_project.yml"
    )
