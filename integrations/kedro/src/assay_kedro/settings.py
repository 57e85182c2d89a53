"""Settings of the Kedro project. Kedro imports them before the nodes, and so before any library that computes."""

import os

from assay.parallel import QUIET

# As the command `assay` does: threads that wait sleep. Read by OpenMP when it is loaded.
for _name, _value in QUIET.items():
    os.environ.setdefault(_name, _value)
