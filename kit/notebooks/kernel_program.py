"""The program of a kernel: `ipykernel_launcher`, which loses no output that is read more slowly than it is written.

It runs by its path, so that nothing of the kit is imported before the notebook asks for it.
"""

import sys
from typing import Any

WAITING = 100_000
"""So many messages may wait for a reader. By default ZeroMQ drops all beyond 1,000, the one that ends a cell among them."""


def main() -> None:
    """Serve the connection file of the command line, see `ipykernel_launcher`."""
    from ipykernel.kernelapp import IPKernelApp

    class App(IPKernelApp):
        def init_iopub(self, context: Any) -> None:
            import zmq

            context.setsockopt(zmq.SNDHWM, WAITING)  # of the sockets that it makes from now on
            super().init_iopub(context)  # type: ignore[no-untyped-call]

    App.launch_instance()


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    main()
