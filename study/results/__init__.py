"""What a study leaves at OUT: a trial's tables, committed atomically and read back; a lost or altered file is seen.

OUT is a directory or a URI. A trial's tables are one small Parquet file each, until many trials are packed; the file in
`trials/` is written last and is the commit: it holds a digest of each of the others, and rows of the other tables
without it are to be ignored.

store       OUT itself: commit, audit, read            layout      what lies where in OUT
tables      a trial's facts as rows                    schemas     the columns of the tables
place       a directory or a URI                       reading     Parquet files of many trials
digests     how alterations are seen                   bounded     reading no more than a study could have written
kept        what OUT holds of a study                  committed   does it belong to the study at hand?
claim       OUT belongs to one driver at a time        unfinished  what the machinery could not finish, and why
checkpoints a trial's last epoch                       weights     the trained networks that are kept
packs       many trials in one file of a table         compaction  how they get there
"""

from study.results.layout import CHECKPOINTS, CLAIMS, DEFINITION_FILE, RUN_FILE, UNFINISHED
from study.results.store import Audit, Results

__all__ = ["CHECKPOINTS", "CLAIMS", "DEFINITION_FILE", "RUN_FILE", "UNFINISHED", "Audit", "Results"]
