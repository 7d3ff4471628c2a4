"""A test that leaves something behind fails, whatever it asserts."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """An empty suite under this project's conftest and settings."""
    rules = Path(ROOT / "tests/conftest.py").read_text("utf-8")
    pytester.makeconftest(rules.replace("SETTLE_S = 3.0", "SETTLE_S = 0.05"))
    pytester.makepyprojecttoml((ROOT / "pyproject.toml").read_text("utf-8").replace('testpaths = ["tests"]', ""))
    return pytester


def test_whatever_is_left_behind_fails_the_test(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import logging, subprocess, threading, warnings
        import pytest

        kept = []

        def test_thread():
            threading.Thread(target=threading.Event().wait, args=(20,), name="forgotten", daemon=True).start()

        def test_process():
            kept.append(subprocess.Popen(["sleep", "20"]))

        def test_log_line():
            logging.getLogger("somebody").warning("a surprise")

        @pytest.mark.logs("a promise")
        def test_log_line_that_did_not_come():
            pass

        def test_warning():
            warnings.warn("careful")

        def test_end():
            kept[0].kill()
            kept[0].wait()
    """)

    result = suite.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=5, failed=1, errors=4)
    result.stdout.fnmatch_lines_random(
        [
            "threads left running: forgotten",
            "child processes left: sleep (*)",
            "*WARNING somebody: a surprise",
            "*a promise",
            "FAILED *::test_warning*",
        ]
    )


def test_what_was_expected_or_ended_in_time_passes(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import logging, os, subprocess, threading
        import pytest

        @pytest.mark.logs("a promise", "another")
        def test_log_lines():
            logging.getLogger("somebody").warning("a promise")
            logging.getLogger("somebody").error("another one")

        def test_thread():
            threading.Timer(0.01, lambda: None).start()

        def test_process():
            subprocess.run(["true"], check=True)

        def test_nobodys_desktop_is_touched():
            assert "DISPLAY" not in os.environ and "DBUS_SESSION_BUS_ADDRESS" not in os.environ
    """)

    result = suite.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=4)
