"""Language models: a notebook asks only those that the contract of each of its inputs allows."""

from collections.abc import Iterator

from kit.build import asked_models, model_questions
from kit.contracts import MODEL_ENDPOINTS, Contract, Finding
from kit.core import KitError, there_are
from kit.language_models import SentPort, refusal
from kit.mesh import Context, DataProduct, OutputPort


def check_models(context: Context, product: DataProduct) -> Iterator[Finding]:
    """Find questions to models that the mesh does not have, or that may not get the rows of an input of the notebook.

    Of a model whose name is computed only the build knows whether it may get the rows; an input that allows none of the models
    it may be is found here.
    """
    for port in product.ports:
        for ask in model_questions(product, port):
            models = [model for model in asked_models(context.config, product, port) if ask.matches(model.name)]
            problems = [] if models else [f"asks the model '{ask.name}'; {there_are(ask.name, sorted(context.config.models))}"]
            for name, contract, keys in _sent(context, product, port):
                masked = tuple(column.name for column in contract.masked_columns) if name.startswith(f"{product.name}.") else ()
                ports = [SentPort(name, contract.model_endpoints, key, masked) for key in keys]
                refused = [reason for model in models if (reason := refusal(model, ports))]
                if ask.is_exact:
                    problems += refused
                elif refused and (masked or not any(model.base_url in contract.model_endpoints.any for model in models)):
                    problems.append(
                        refused[0] if masked else f"'{name}' allows none of the models that this may be ({MODEL_ENDPOINTS})"
                    )
            for problem in dict.fromkeys(problems):
                message = problem if problem.startswith("asks") else f"asks the model '{ask.name}', but {problem}"
                yield ask.place.finding(product.name, message)


def _sent(context: Context, product: DataProduct, port: OutputPort) -> Iterator[tuple[str, Contract, list[str | None]]]:
    """Yield the inputs of a notebook with their contracts, and the partitions whose rows it reads; None is all rows."""
    partitions = product.partitions
    every: list[str | None] = list(partitions.keys) if partitions and partitions.keys else [None]
    for item in port.reads:
        own = product.port(item.port.partition(".")[2]) if item.product == product.name else None
        try:
            contract = own.contract if own else context.mesh.port(item.port).contract
        except KitError:  # a finding of the mesh
            continue
        cut = own or (partitions and item.name in partitions.inputs)
        yield item.name, contract, every if cut else [None]
