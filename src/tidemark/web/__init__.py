"""The web: a door to the engine for browsers, probes and scrapers.

Owns: `application`, an ASGI application that can be mounted under any prefix. Promises: needs the extra ``server`` and nothing
else; reads only, unless actions are asked for.
"""

from tidemark.web.application import application

__all__ = ["application"]
