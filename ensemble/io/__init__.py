"""The only place that knows file formats: feature files in, :class:`~ensemble.base.features.FeatureSet` out.

``scan`` looks at a folder before a feature is read, ``read`` reads its models, ``read_folder`` does both,
``contents`` says what is in one file. Pickles are read by a machine that builds containers and arrays of numbers
and refuses everything else; nothing in a file is ever executed.

    bytes -> containers -> blocks (one side of one file) -> alignment (rows by name) -> FeatureSets
"""

from ensemble.io.ahead import ModelSize, sizes
from ensemble.io.describe import Contents, Entry, contents
from ensemble.io.draws import read_identities
from ensemble.io.folder import Folder
from ensemble.io.layumi import lost, write_mat, write_multi_mat, write_multi_npz
from ensemble.io.looking import holds_matrix
from ensemble.io.multi_queries import chosen as multi_queries_of
from ensemble.io.multi_queries import read as read_multi_queries
from ensemble.io.name_lists import read_names
from ensemble.io.outputs import all_together, refusals, together
from ensemble.io.reading import read, read_folder, scan
from ensemble.io.tables import read_tables
from ensemble.io.travel_times import TravelTimes, read_travel_times, spread, write_times_mat, write_times_npz
from ensemble.io.write import Unwritable, beside, unwritable, write_csv, write_npz

__all__ = [
    "Contents",
    "Entry",
    "Folder",
    "ModelSize",
    "TravelTimes",
    "Unwritable",
    "all_together",
    "beside",
    "contents",
    "holds_matrix",
    "lost",
    "multi_queries_of",
    "read",
    "read_folder",
    "read_identities",
    "read_multi_queries",
    "read_names",
    "read_tables",
    "read_travel_times",
    "refusals",
    "scan",
    "sizes",
    "spread",
    "together",
    "unwritable",
    "write_csv",
    "write_mat",
    "write_multi_mat",
    "write_multi_npz",
    "write_npz",
    "write_times_mat",
    "write_times_npz",
]
