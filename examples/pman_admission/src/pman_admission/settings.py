"""The variables of the policy; with none of them set it admits everything."""

from __future__ import annotations

import environ

from pman_core.kit.settings import flag, names, variable, whole_number


@environ.config(prefix="", frozen=True)
class AdmissionSettings:
    """What this site admits."""

    images: tuple[str, ...] | None = variable(
        "ADMIT_IMAGES",
        names,
        None,
        "The images that may run, as clients name them, separated by commas. An entry with a slash "
        "at its end admits all images whose names begin so; any other one the image of that name, "
        "with any tag and digest. Unset means every image.",
    )
    digests_only: bool = variable(
        "ADMIT_DIGESTS_ONLY",
        flag,
        "no",
        "Whether an image must be named with its digest, NAME@sha256:..., so that it is the same "
        "one for ever.",
    )
    running_per_owner: int | None = variable(
        "ADMIT_RUNNING_PER_OWNER",
        whole_number(1),
        None,
        "How many jobs of one owner may wait or run at once; more are answered with 429. Unset "
        "means any number.",
    )
