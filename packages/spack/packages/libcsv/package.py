from spack.package import *


class Libcsv(AutotoolsPackage):
    """Small library in C that reads and writes delimited text."""

    homepage = "https://github.com/rgamble/libcsv"
    git = "https://github.com/rgamble/libcsv.git"
    license("LGPL-2.1-or-later")

    version("3.0.3", tag="3.0.3")

    depends_on("c", type="build")
