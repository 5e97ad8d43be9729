"""For whoever writes a step: the laws of all steps as one call, and the small world that they are tried in.

>>> from postproc import csls
>>> check_step(csls)

A step that breaks a law is refused with an AssertionError that names the law, the settings and what was found.
Nothing here needs pytest.
"""

from postproc.testing.laws import check_step
from postproc.testing.worlds import pick, small, world

__all__ = ["check_step", "pick", "small", "world"]
