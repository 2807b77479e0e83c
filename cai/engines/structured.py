"""Whether an answer follows the JSON schema that was asked for."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["schema_problem"]


def schema_problem(text: str, schema: dict[str, Any]) -> str | None:
    """What is wrong with the text of an answer, as a sentence; None when it follows the schema.

    The sentence quotes the answer, which is untrusted. It is returned and not raised, so that no
    traceback holds on to text from which a key has still to be taken out.
    """
    import jsonschema
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        # With a registry of its own, a `$ref` to an address is never fetched.
        jsonschema.validate(json.loads(text), schema, registry=Registry())
    except jsonschema.ValidationError as error:
        return f"The answer does not follow the requested JSON schema: {error.message}"
    except (jsonschema.SchemaError, Unresolvable) as error:
        return f"The response_schema of the request is no valid JSON schema: {error}"
    except (ValueError, RecursionError) as error:
        return f"The answer does not follow the requested JSON schema: it is no JSON ({error})"
    return None
