"""The layout of the tests: each module of the kit has a test module `tests/<package>/test_<module>.py`."""

from tests.conftest import ROOT

EXCEPTIONS = {
    "core/version": "a constant",
    "dbt/plugin": "one call of the sandbox: tests/core/test_sandbox.py",
    "quality/dialect": "one call of the sandbox and no transactions: tests/quality/test_audit.py",
    "build/manifest": "values of the manifest: tests/build/test_build.py",
    "cli/diff_text": "output of `kit diff`: tests/governance/test_diff.py",
    "cli/new": "`kit new` in a terminal: tests/cli/test_prompts.py",
    "cli/serve": "`kit dev` and `kit lab`: tests/orchestration/test_dev_server.py, tests/jupyter/test_lab.py",
    "contracts/custom_properties": "read by contracts: tests/contracts/test_masks.py",
    "contracts/implication": "rules that imply rules: tests/contracts/test_consumer_contract.py",
    "contracts/on_failure": "rules that quarantine: tests/quality/test_quarantine.py",
    "contracts/rule_kinds": "rules of contracts: tests/contracts/test_contract.py",
    "contracts/rules": "rules of contracts: tests/contracts/test_contract.py",
    "governance/check": "all checks together: tests/governance/test_coupling.py",
    "governance/doctor": "output of `kit doctor`: tests/cli/test_main.py",
    "ingest/raw_table": "raw files as tables: tests/ingest/test_typed_reader.py",
    "jupyter/current_notebook": "the notebook of the form: tests/jupyter/test_promote_form.py",
    "lineage/python_reads": "reads of notebooks: tests/governance/test_coupling.py",
    "notebooks/executed": "executed copies: tests/notebooks/test_page.py",
    "notebooks/kernel": "kernels started ahead: tests/notebooks/test_kernel_pool.py",
    "notebooks/papermill_engine": "runs of notebooks: tests/notebooks/test_executor.py",
    "orchestration/assets": "definitions: tests/orchestration/test_definitions.py",
    "orchestration/automation": "definitions: tests/orchestration/test_definitions.py",
    "quality/audit_target": "audits: tests/quality/test_audit.py",
    "quality/table_checks": "builds with failing checks: tests/build/test_make.py",
    "scaffold/port_source": "new ports: tests/scaffold/test_new.py",
    "sync/intake_safety": "catalogs by hand: tests/system/test_hostile.py",
    "sync/markers": "generated parts of files: tests/sync/test_sync.py",
    "sync/readme": "generated files: tests/sync/test_sync.py",
    "sync/texts": "generated files: tests/sync/test_sync.py",
}
"""Modules without a test module of their own, with the reason or with the tests that cover them."""


def test_every_module_has_a_test_module() -> None:
    paths = [path for path in (ROOT / "kit").glob("*/*.py") if path.stem != "__init__"]
    modules = {f"{path.parent.name}/{path.stem}" for path in paths} - {"cli/__main__"}
    tested = {f"{path.parent.name}/{path.stem.removeprefix('test_')}" for path in (ROOT / "tests").glob("*/test_*.py")}
    assert len(modules) > 100
    assert sorted(modules - tested) == sorted(EXCEPTIONS)


def test_the_tests_that_an_exception_names_exist() -> None:
    named = [word.strip(",") for reason in EXCEPTIONS.values() for word in reason.split() if word.startswith("tests/")]
    assert [name for name in named if not (ROOT / name).is_file()] == []
