import pytest

pytest.register_assert_rewrite("tests.system.running", "tests.system.stack", "tests.system.streams")
