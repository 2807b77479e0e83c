"""Evaluations as `cai run` carries them out: settings from a config, and one call for all of it."""
