#!/usr/bin/env python3
"""make_hostile.py GOOD BAD KIND: BAD is the HDF5 file GOOD with one thing in it as a hostile or careless writer would make
it. KINDs are the functions of this file."""
import shutil
import sys

import h5py
import numpy as np


def replace(f, name, **how):
    old = f[name]
    attributes, data = dict(old.attrs), how.pop("data", old[()])
    del f[name]
    new = f.create_dataset(name, data=data, **how)
    new.attrs.update(attributes)


def position(f):
    return "bodies/position" if "bodies" in f else "cells/loss"


def lzf(f):
    """Packed by a filter that only h5py brings."""
    replace(f, position(f), compression="lzf", chunks=True)


def virtual(f):
    """Values that are those of itself."""
    name = position(f)
    layout = h5py.VirtualLayout(f[name].shape, f[name].dtype)
    layout[...] = h5py.VirtualSource(".", name, shape=f[name].shape)
    del f[name]
    f.create_virtual_dataset(name, layout)


def external(f):
    """Values in another file, which never ends."""
    name = position(f)
    shape, kind = f[name].shape, f[name].dtype
    del f[name]
    f.create_dataset(name, shape, kind, external=[("/dev/zero", 0, h5py.h5f.UNLIMITED)])


def link(f):
    """A name that leads into another file, whose opening waits for ever."""
    name = position(f)
    del f[name]
    f[name] = h5py.ExternalLink(sys.argv[2] + ".pipe", "/" + name)


def huge(f):
    """A shape of 2^60 rows."""
    name = position(f)
    shape, kind = f[name].shape, f[name].dtype
    del f[name]
    f.create_dataset(name, (1 << 60, *shape[1:]), kind, chunks=(64, *shape[1:]), fillvalue=0)


def bodies(f):
    """One body more than a trajectory may have, in every trajectory."""
    count, n = 257, len(f["trajectories/bodies"])
    for name in ("trajectories/bodies", "trajectories/vertices"):
        f[name][...] = count
    for name in list(f["bodies"]):
        replace(f, "bodies/" + name, data=np.repeat(f["bodies/" + name][:1], count * n, axis=0))
    replace(f, "vertices/position", data=np.repeat(f["vertices/position"][:1], count * n, axis=0))
    replace(f, "vertices/body", data=np.tile(np.arange(count, dtype="i4"), n))
    for name in ("digest", "settings"):
        del f.attrs[name]


good, bad, kind = sys.argv[1:]
shutil.copy(good, bad)
with h5py.File(bad, "r+") as file:
    globals()[kind](file)
