"""Settings for all tests. The network is banned by `--disable-socket` in pyproject.toml."""

import os

from hypothesis import settings

# A slow machine must not fail a test, and CI must not fail by luck: a new example is found and
# kept by whoever runs the tests at home.
settings.register_profile("any-machine", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("any-machine")
