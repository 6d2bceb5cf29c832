import os
import subprocess
import sys

from tests.support.small_mesh import SmallMesh


def test_names_are_completed(small: SmallMesh) -> None:
    shell = {"_KIT.CLI_COMPLETE": "", "_PYTHON _M KIT.CLI_COMPLETE": ""}
    code = (
        "from kit.cli.options import complete_products, complete_ports; print(complete_products('s'), complete_ports('plan'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=small.root, capture_output=True, text=True, check=True, env={**os.environ, **shell}
    )
    assert done.stdout == "['shop', 'shop.sales', 'shop.totals'] ['plan.forecast']\n"
