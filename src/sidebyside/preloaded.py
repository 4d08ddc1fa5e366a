"""What a worker needs, imported once in the server that workers are forked from.

Nothing here may compute with TensorFlow: a process forked after that hangs.
"""

import os

from sidebyside import numeric
from sidebyside.keys import DECIDING
from sidebyside.quiet import greetings_hidden
from sidebyside.sources import source_digests

with greetings_hidden():
    import sidebyside.evaluation
    import sidebyside.fitting
    import sidebyside.pictures
    import sidebyside.scoring
    import sidebyside.tracking
    import sidebyside.training  # noqa: F401

numeric.warm_up()
source_digests(DECIDING)  # of what has just been imported, whatever is edited later

# A worker prints to a log. Before its task it could only say that its parent is gone.
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
