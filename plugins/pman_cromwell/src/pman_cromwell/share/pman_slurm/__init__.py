"""The part of pman that runs on a SLURM cluster, beside Cromwell and on its nodes.

It is copied there by the site, so it stands alone: Python 3.7 or newer, its standard library, and
nothing of pman. The commands, as the shipped Cromwell configuration and the WDL document use them:

``submit``
    hands a script to ``sbatch``, beside Cromwell.
``check``
    says whether a SLURM job is alive, for Cromwell, and writes down how one ended.
``batch``
    is the batch job: it runs Cromwell's script.
``run``
    is what that script calls: it reads the spec of a job, and runs the container.
``worker``
    runs one of several copies of the container, as a task of ``srun``.
``epilog``
    removes, after a SLURM job, the containers that outlived it; for ``Epilog`` in slurm.conf.
"""
