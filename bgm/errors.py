"""Failures, each told in one sentence that a creator understands."""

from __future__ import annotations


class BgmError(Exception):
    """A failure of ours. The message is one sentence for the user; the shell exits with ``exit_code``."""

    exit_code = 1


class BadInput(BgmError):
    """The user's input can't be used: the message names it and says what to do."""

    exit_code = 2


class EngineUnavailable(BadInput):
    """An engine that the user named can't run here; the message says what is missing and what to do."""


class Cancelled(BgmError):
    """The user stopped the work. What was finished is kept."""

    exit_code = 130
