"""How long the 32 runs of mnist5k's factorial took, two at a time, and all of them together.

From the files timing.json and the journal of a `dvc repro` on an AMD EPYC with 2 cores on which
nothing else ran: of each run the seconds of its training and those of its steps, in the grid's
order.
"""

WALL = 227  # seconds from the first "begun" to the last "finished"
SECONDS = (
    (11.054, 9.637),
    (10.547, 9.708),
    (14.237, 12.285),
    (13.066, 12.063),
    (11.156, 9.804),
    (10.593, 9.788),
    (14.179, 12.313),
    (12.929, 11.941),
    (10.359, 9.038),
    (9.806, 9.008),
    (12.839, 11.322),
    (12.35, 11.363),
    (10.445, 9.195),
    (9.927, 9.136),
    (12.907, 11.446),
    (12.612, 11.597),
    (15.391, 13.697),
    (14.665, 13.587),
    (20.96, 18.032),
    (16.787, 15.578),
    (15.272, 13.658),
    (14.709, 13.63),
    (20.654, 18.176),
    (16.577, 15.356),
    (14.743, 13.155),
    (14.594, 13.365),
    (17.091, 15.291),
    (16.368, 15.084),
    (14.723, 13.185),
    (14.662, 13.264),
    (17.146, 15.415),
    (16.276, 15.06),
)
