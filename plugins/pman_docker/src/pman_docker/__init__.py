"""Jobs as containers of Docker Engine or Podman.

Other plugins that use Docker's API may import these modules; every other one is private:

- ``client``: the calls to an engine, with time-outs
- ``container_fields``: parts of a payload that are the same for containers and services
- ``engine_info``: what an engine is and can do
- ``errors``: what an engine refuses
- ``framing``: the frames of logs
- ``images``: logins of registries
- ``init``: the process 1 of a job, and a program that it cannot run
- ``limits``: engines that do not enforce limits
- ``settings``: how an engine is reached
- ``storage``: the storage type ``docker_local_volume``
- ``validate``: what no engine of this kind can run
"""
