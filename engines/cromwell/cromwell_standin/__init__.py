"""A stand-in for Cromwell, for tests: its REST API and its timing, with real jobs through SLURM.

It is not Cromwell and shares no code with it.  It speaks the part of Cromwell's API that a client
needs to run one task, reads the backend's section of a real Cromwell configuration file, and lets
miniwdl judge and evaluate the WDL.  ``engines/cromwell/README.md`` tells what it does differently.
"""

#: What stands where Cromwell reports its version.
VERSION = "stand-in-for-tests"
