"""The program's tree again: the test of lysnrai_desktop/x/y.py is tests/x/test_y.py."""
