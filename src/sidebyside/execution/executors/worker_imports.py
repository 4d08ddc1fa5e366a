"""What a worker needs, imported once in the server that workers are forked from.

Nothing here may compute with TensorFlow: a process forked after that hangs.
"""

import gc
import importlib
import os

from sidebyside.files import source_digests
from sidebyside.stderr import greetings_hidden

gc.disable()  # what is imported stays; looking for garbage in it takes a quarter of the time
with greetings_hidden():
    import sidebyside.engine.scoring.saved_model
    import sidebyside.engine.scoring.score
    import sidebyside.execution.evaluate_study
    import sidebyside.execution.train
    import sidebyside.storage.checkpoints
    import sidebyside.tracking.publisher  # noqa: F401
    from sidebyside.execution import evaluate
    from sidebyside.storage import keys
    from sidebyside.tracking.missing import schema

    # MLflow's client imports it when it connects, which is in each worker.
    importlib.import_module("mlflow.store.tracking.sqlalchemy_store")

# Digests are those of what has just been imported, whatever is edited later.
for folder in (keys.DECIDING, *evaluate.DECIDING):
    source_digests(folder)
schema()

gc.freeze()  # nor is a worker to look there: half a second, and a copy of each page
gc.enable()

# A worker prints to a log. Before its task it could only say that its parent is gone.
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
