"""The table of bad inputs, a handbook of errors: every command, and everything that can be wrong with its input.

Each row lists what the last line of the command's output must contain: what is wrong, where, and what to do. Damage
that costs one document only is in test_odd_documents.py: there the command succeeds and reports the document.
"""

import pytest

pytest.register_assert_rewrite("bad_input.table")
