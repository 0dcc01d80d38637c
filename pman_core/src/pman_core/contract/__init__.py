"""What authors of plugins read: the words of the contract between pman and a plugin.

Values (``job``, ``info``, ``mounts``, ``request``), ``capabilities``, the ``errors`` that a plugin
may raise, the hooks (``hookspecs``), ``storage``, and the ``service`` that the routes of an
extension get.
"""
