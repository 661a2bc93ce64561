"""Manifests rendered from the configuration: KubeRay's objects, files for ``ray up``, a container file, a Serve config.

Every function is pure: it takes a :class:`~cluster.manifests.target.Target` and returns plain dictionaries or text.
"""
