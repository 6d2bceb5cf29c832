"""Verdicts of OpenMetadata's own models of its requests; run in the environment of `tests/openmetadata.txt`.

Reads from the standard input a list of pairs of a path and a JSON value, and writes the fault of each, empty where it has none.
"""

import importlib
import importlib.util
import json
import re
import sys
import types

MODELS = {
    r"services/databaseServices": "api.services.createDatabaseService.CreateDatabaseServiceRequest",
    r"domains": "api.domains.createDomain.CreateDomainRequest",
    r"classifications": "api.classification.createClassification.CreateClassificationRequest",
    r"tags": "api.classification.createTag.CreateTagRequest",
    r"databases": "api.data.createDatabase.CreateDatabaseRequest",
    r"databaseSchemas": "api.data.createDatabaseSchema.CreateDatabaseSchemaRequest",
    r"tables": "api.data.createTable.CreateTableRequest",
    r"tables/[0-9a-f-]{36}/tableProfile": "api.data.createTableProfile.CreateTableProfileRequest",
    r"dataQuality/testDefinitions": "api.tests.createTestDefinition.CreateTestDefinitionRequest",
    r"dataQuality/testCases": "api.tests.createTestCase.CreateTestCaseRequest",
    r"dataQuality/testCases/testCaseResults/[^/]+": "api.tests.createTestCaseResult.CreateTestCaseResult",
    r"dataProducts": "api.domains.createDataProduct.CreateDataProductRequest",
    r"dataContracts/odcs\?entityId=[^&]{36}&entityType=table": "entity.datacontract.odcs.odcsDataContract.ODCSDataContract",
    r"lineage": "api.lineage.addLineage.AddLineageRequest",
    r"openlineage/lineage": "api.lineage.openlineage.openLineageRunEvent.OpenLineageRunEvent",
}
"""The model of a request by its path; `metadata.generated.schema` is before each."""


def fault(path: str, value: object) -> str:
    """Return why the server would refuse a request; empty when it would not."""
    name = next((model for pattern, model in MODELS.items() if re.fullmatch(pattern, path)), None)
    if name is None:
        return f"there is no request {path}"
    module, _, model = name.rpartition(".")
    try:
        getattr(importlib.import_module(f"metadata.generated.schema.{module}"), model).model_validate(value)
    except ValueError as error:
        return " ".join(str(error).split())
    return ""


# The face of the package imports what ingestion needs, which is not installed: without it only the models are there.
package = types.ModuleType("metadata")
package.__path__ = list(importlib.util.find_spec("metadata").submodule_search_locations)
sys.modules["metadata"] = package
json.dump([fault(path, value) for path, value in json.load(sys.stdin)], sys.stdout)
