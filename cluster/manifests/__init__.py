"""What runs Fleetcast elsewhere, rendered from the configuration: KubeRay's objects, ``ray up`` files, an image.

Every function is pure: a :class:`~cluster.manifests.target.Target` in, plain dictionaries or text out.
"""
