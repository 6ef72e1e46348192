"""What flags take from a context of OpenFeature."""

from __future__ import annotations

from openfeature.evaluation_context import EvaluationContext

from appconfig_provider.flags.context import WrongContext, plain
from appconfig_provider.texts import kind_of, quoted


def user_id(context: EvaluationContext | None, attribute: str | None) -> str:
    """Return the user id of a context: its targeting key, or an attribute; empty without one.

    Raises:
        WrongContext: it is no text. Whole numbers are taken for texts.
    """
    if context is None:
        return ""
    user: object = context.targeting_key if attribute is None else context.attributes.get(attribute)
    if user is None or isinstance(user, str):
        return plain(user or "")
    if isinstance(user, int) and not isinstance(user, bool):
        return str(user)
    named = "targeting_key" if attribute is None else f"attribute {quoted(attribute)}"
    raise WrongContext(f"{named} must be a text, not {kind_of(user)}")
