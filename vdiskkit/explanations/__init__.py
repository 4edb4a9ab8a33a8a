"""What the codes mean that an administrator meets: in Windows, in PVS, and in what vdiskkit says.

The texts are data, in TOML files beside the modules; those of rules are the rules' own. Nothing of it is loaded before
something is to be explained.
"""
