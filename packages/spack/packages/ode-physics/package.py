from spack.package import *


class OdePhysics(CMakePackage):
    """Open Dynamics Engine: dynamics of articulated rigid bodies with collisions."""

    homepage = "https://www.ode.org"
    git = "https://bitbucket.org/odedevs/ode.git"
    license("BSD-3-Clause OR LGPL-2.1-or-later")

    version("0.16.2", tag="0.16.2")

    depends_on("c", type="build")
    depends_on("cxx", type="build")

    def cmake_args(self):
        # Debian's build, which the data of published studies come from, has double precision.
        return ["-DODE_DOUBLE_PRECISION=ON", "-DODE_WITH_DEMOS=OFF", "-DODE_WITH_TESTS=OFF", "-DBUILD_SHARED_LIBS=ON"]
