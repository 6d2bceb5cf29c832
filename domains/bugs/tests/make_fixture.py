"""Makes the demo data of `bugs`: exceptions that installed packages really raise, as Sentry's SDK sends them.

    python domains/bugs/tests/make_fixture.py

Each case below runs; its exception goes through `sentry-sdk` (`pip install sentry-sdk`) to an endpoint on loopback. What arrives is
written to `data/events.json` in the form in which Sentry's API lists events, without paths and names of this machine; the issues
are written to `data/issues.json`, and the functions that they are about to `data/truth.json`. Texts and truth were written before any ranking
was measured. People, addresses and tokens in them are invented.
"""

import gzip
import importlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

DATA = Path(__file__).parents[1] / "data"
INSTALLATIONS = ("northwind", "contoso", "fabrikam")
_FIRST = datetime(2017, 11, 1, 8, tzinfo=UTC)
_SITE = re.compile(r".*/site-packages/|.*/lib/python3\.\d+/")


class Case(NamedTuple):
    """An issue, the function that it is about (`package.module:function`), and the code that raises."""

    truth: str
    title: str
    body: str
    run: Callable[[], object]


def of(module: str) -> Any:
    """Import a module."""
    return importlib.import_module(module)


def _cycle() -> object:
    nx = of("networkx")
    return list(nx.topological_sort(nx.DiGraph([(1, 2), (2, 1)])))


def _notebook() -> object:
    return of("nbformat").reads('{"nbformat": 4, "metadata": {}, "nbformat_minor": 5}', 4)


CASES = [
    Case(
        "click.types:convert",
        "Range option rejects what people type",
        "Our --level option takes 0 to 5. A user typed letters and got an error that names a range, not the value that is wrong.",
        lambda: of("click").IntRange(0, 5).convert("abc", None, None),
    ),
    Case(
        "click.types:convert",
        "Choice should ignore unknown colours",
        "The colour picked in the form is not in our list any more; the command line refuses to start.",
        lambda: of("click").Choice(["red"]).convert("blue", None, None),
    ),
    Case(
        "click.types:convert",
        "Relative days are not dates",
        "Operators write 'tomorrow' for the day of a report. The tool lists formats and gives up.",
        lambda: of("click").DateTime().convert("tomorrow", None, None),
    ),
    Case(
        "jinja2.environment:getattr",
        "Invoice page breaks for customers without address",
        "When the street is missing, rendering the letter ends with an undefined attribute.",
        lambda: of("jinja2").Template("{{ x.y.z }}").render(x={}),
    ),
    Case(
        "jinja2.parser:parse_primary",
        "Empty condition in a mail template",
        "Somebody saved a template whose condition is empty; the error shows up when the mail is compiled.",
        lambda: of("jinja2").Template("{% if %}"),
    ),
    Case(
        "jinja2.environment:_load_template",
        "Templates cannot be found after the move",
        "Since we construct the environment ourselves there is no loader, and each page fails.",
        lambda: of("jinja2").Environment().get_template("a"),
    ),
    Case(
        "yaml.parser:parse_flow_sequence_entry",
        "Settings with an open bracket",
        "A list in the settings is not closed. We would like to know which list.",
        lambda: of("yaml").safe_load("a: [1"),
    ),
    Case(
        "yaml.scanner:scan_flow_scalar_spaces",
        "Unbalanced quote in the deployment file",
        "One quote too few, and the whole deployment stops at the end of the stream.",
        lambda: of("yaml").safe_load("a: 'b"),
    ),
    Case(
        "yaml.constructor:construct_undefined",
        "Old export has tags of Python objects",
        "The file was dumped by another program; safe loading cannot determine a constructor for its tags.",
        lambda: of("yaml").safe_load("!!python/object:os.system x"),
    ),
    Case(
        "yaml.composer:compose_node",
        "Alias without an anchor",
        "We split a file in two; now an alias points to nothing.",
        lambda: of("yaml").safe_load("*x"),
    ),
    Case(
        "packaging.version:__init__",
        "Release with a wildcard is no version",
        "The vendor calls its release 1.x and our inventory refuses it.",
        lambda: of("packaging.version").Version("1.x"),
    ),
    Case(
        "packaging.requirements:__init__",
        "Two words in a line of requirements",
        "A line with a blank in the name of a distribution stops the import of the list.",
        lambda: of("packaging.requirements").Requirement("a b"),
    ),
    Case(
        "packaging.specifiers:__init__",
        "Double tilde in a version bound",
        "A typing error in a bound, and the message does not say which characters are allowed.",
        lambda: of("packaging.specifiers").SpecifierSet("~~1"),
    ),
    Case(
        "dateutil.parser._parser:parse",
        "Delivery notes with impossible days",
        "Day 32 in a delivery note ends the nightly import. It should be set aside.",
        lambda: of("dateutil.parser").parse("32 Foo 2020"),
    ),
    Case(
        "dateutil.rrule:_parse_rfc_rrule",
        "Calendar rule with unknown frequency",
        "Customers paste rules from other calendars; one has a frequency that is not in the standard.",
        lambda: of("dateutil.rrule").rrulestr("FREQ=NEVER"),
    ),
    Case(
        "dateutil.relativedelta:__init__",
        "Half a year of notice",
        "A contract has a notice of 1.5 years. Adding that to a day raises.",
        lambda: of("dateutil.relativedelta").relativedelta(years=1.5),
    ),
    Case(
        "requests.models:prepare_url",
        "Webhook addresses without https",
        "People enter the host alone. The webhook is then never called.",
        lambda: of("requests").Request("GET", "no-scheme").prepare(),
    ),
    Case(
        "requests.utils:_validate_header_part",
        "Line break in a header value",
        "A copied token ends with a line break, and the request is refused before it is sent. Ask jo.meyer@northwind.example for details.",
        lambda: of("requests").Request("GET", "http://a", headers={"x": "a\nb"}).prepare(),
    ),
    Case(
        "sqlglot.parser:_parse_table_parts",
        "Query without a table",
        "The editor sends what was typed so far; a query that ends after from breaks lineage.",
        lambda: of("sqlglot").parse_one("select a from where"),
    ),
    Case(
        "nbformat.reader:reads",
        "Upload of an incomplete notebook",
        "A notebook without cells comes from a converter; opening it names a missing key.",
        _notebook,
    ),
    Case(
        "networkx.algorithms.shortest_paths.unweighted:bidirectional_shortest_path",
        "Route to a warehouse that was closed",
        "The planner still knows the warehouse, the graph does not.",
        lambda: of("networkx").shortest_path(of("networkx").path_graph(3), 0, 99),
    ),
    Case(
        "networkx.algorithms.dag:topological_generations",
        "Jobs that wait for each other",
        "Two jobs name each other as predecessor and nothing is scheduled any more.",
        _cycle,
    ),
    Case(
        "networkx.algorithms.cycles:find_cycle",
        "Report of circles fails when there is none",
        "We expect an empty list, and get an exception for a graph in order.",
        lambda: of("networkx").find_cycle(of("networkx").DiGraph([(1, 2)])),
    ),
    Case(
        "jsonschema.validators:validate",
        "Order number arrives as a number",
        "The partner's interface sends a number where the schema wants a string.",
        lambda: of("jsonschema").validate(1, {"type": "string"}),
    ),
    Case(
        "jsonschema.validators:check_schema",
        "Our own schema is wrong",
        "After an edit the type in a schema is a number, and every validation fails.",
        lambda: of("jsonschema").Draft7Validator.check_schema({"type": 12}),
    ),
    Case(
        "tornado.httputil:parse_request_start_line",
        "Health checks of the old balancer",
        "It sends one word as first line of a request. The log is full of it.",
        lambda: of("tornado.httputil").parse_request_start_line("bad"),
    ),
    Case(
        "toposort:toposort",
        "Modules in a ring",
        "Two modules depend on each other; the order of loading cannot be computed.",
        lambda: list(of("toposort").toposort({1: {2}, 2: {1}})),
    ),
    Case(
        "sqlparse.formatter:validate_options",
        "Indentation of zero",
        "A user switched indentation off with a zero, and formatting of queries stopped.",
        lambda: of("sqlparse").format("x", reindent=True, indent_width=0),
    ),
    Case(
        "pygments.lexers:get_lexer_by_name",
        "Colours for a language nobody knows",
        "A snippet in the wiki has a made-up language. The page should show it without colours.",
        lambda: of("pygments.lexers").get_lexer_by_name("nolang"),
    ),
    Case(
        "isodate.isoduration:parse_duration",
        "Duration that begins with X",
        "A device reports how long it ran in a format of its own.",
        lambda: of("isodate").parse_duration("X1"),
    ),
    Case(
        "isodate.isodates:parse_date",
        "Year with two digits",
        "The till writes 20-1 for January. We want a clear rejection with the line.",
        lambda: of("isodate").parse_date("20-1"),
    ),
    Case(
        "babel.core:parse",
        "Language of a browser that does not exist",
        "A header asks for a language and territory that are unknown, and the start page is empty.",
        lambda: of("babel").Locale.parse("xx_YY"),
    ),
    Case(
        "babel.numbers:parse_decimal",
        "Amounts with a letter",
        "Someone pasted an amount with a letter after the comma.",
        lambda: of("babel.numbers").parse_decimal("1,x", locale="en"),
    ),
    Case(
        "jsonpointer:walk",
        "Patch of a member that is gone",
        "A patch names a member that an earlier one removed.",
        lambda: of("jsonpointer").resolve_pointer({}, "/a/b"),
    ),
    Case(
        "jsonpath_ng.parser:p_error",
        "Half a path in the filter field",
        "While people type a path the filter raises with each key.",
        lambda: of("jsonpath_ng").parse("$.["),
    ),
    Case(
        "webcolors._conversion:name_to_hex",
        "Brand colour without a name in CSS",
        "The designer's name for a colour is not in the standard; pages lose their style.",
        lambda: of("webcolors").name_to_hex("nocolor"),
    ),
    Case(
        "croniter.croniter:_expand",
        "Minute 99 in a schedule",
        "A schedule with a minute out of range was saved, and the worker dies at start.",
        lambda: of("croniter").croniter("99 * * * *"),
    ),
    Case(
        "fsspec.registry:get_filesystem_class",
        "Storage of a protocol that is not installed",
        "The address of a bucket begins with an unknown word.",
        lambda: of("fsspec").filesystem("nope"),
    ),
    Case(
        "defusedxml.ElementTree:defused_entity_decl",
        "Invoices with entities",
        "A supplier declares an entity in its XML, and the invoice is refused. Please say so to the supplier.",
        lambda: of("defusedxml.ElementTree").fromstring('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
    ),
]


def main() -> None:
    """Raise, send, receive, write."""
    import sentry_sdk

    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            lines = (gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body).split(b"\n")
            for head, item in zip(lines[1::2], lines[2::2], strict=False):
                if json.loads(head).get("type") == "event":
                    received.append(json.loads(item))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        sentry_sdk.init(
            f"http://public@127.0.0.1:{server.server_port}/1", server_name="app-1", default_integrations=False,
            include_local_variables=False, max_request_body_size="never", environment="production",
        )  # fmt: skip
        for number, case in enumerate(CASES, 1):
            try:
                case.run()
            except Exception as error:
                with sentry_sdk.new_scope() as scope:
                    scope.set_tag("issue", number)
                    sentry_sdk.capture_exception(error)
            else:
                raise SystemExit(f"{case.title}: nothing was raised")
        sentry_sdk.flush(30)
        server.shutdown()
    write(received)


def write(received: list[dict[str, Any]]) -> None:
    """Write events, issues and truth."""
    events, issues, truth = [], [], []
    for event in sorted(received, key=lambda event: int(event["tags"]["issue"])):
        number = int(event["tags"]["issue"])
        case, at = CASES[number - 1], _FIRST + timedelta(hours=7 * number)
        installation = INSTALLATIONS[number % len(INSTALLATIONS)]
        values = event["exception"]["values"][-1]
        frames = [
            {"module": frame.get("module"), "function": frame["function"], "filename": _SITE.sub("", frame["abs_path"]), "lineNo": frame["lineno"]}
            for frame in values["stacktrace"]["frames"]
            if "site-packages" in frame["abs_path"]
        ]  # fmt: skip
        events.append(
            {
                "eventID": f"{number:032x}", "installation": installation, "dateCreated": at.isoformat(), "environment": "production",
                "title": f"{values['type']}: {str(values['value']).splitlines()[0][:150]}", "type": values["type"],
                "value": str(values["value"])[:300], "user": f"user{number % 7}@{installation}.example", "ip": f"192.0.2.{number}",
                "frames": frames[-12:],
            }
        )  # fmt: skip
        opened = at + timedelta(minutes=40)
        issues.append(
            {
                "number": number, "installation": installation, "title": case.title, "body": case.body, "opened_at": opened.isoformat(),
                "assignee": f"dev{number % 5}@{installation}.example", "event_id": f"{number:032x}",
            }
        )  # fmt: skip
        module, _, function = case.truth.partition(":")
        truth.append({"number": number, "installation": installation, "module": module, "function": function})
    for name, value in (("events", events), ("issues", issues), ("truth", truth)):
        text = ",\n".join(json.dumps(item, ensure_ascii=False) for item in value)
        (DATA / f"{name}.json").write_text(f"[\n{text}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
