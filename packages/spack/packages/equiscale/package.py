# spack repo add packages/spack && spack install equiscale
from spack.package import *


class Equiscale(MakefilePackage):
    """Scaling laws of models with and without equivariance on rigid-body dynamics, and a machine benchmark."""

    homepage = "https://arxiv.org/abs/2410.23179"
    license("Apache-2.0")

    # No release is published yet: spack develop equiscale@main, or an archive in a mirror.
    version("main")

    variant("double", default=False, description="compute in double precision")
    variant("libxsmm", default=True, description="kernels for small products (x86)")

    depends_on("c", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi@3.1:")
    depends_on("petsc@3.18:+mpi~complex+double")
    depends_on("hdf5@1.10:+mpi+hl")
    depends_on("netlib-scalapack")
    depends_on("blis threads=none")
    depends_on("libxsmm", when="+libxsmm")
    depends_on("random123")
    depends_on("libyaml")
    depends_on("jansson")
    depends_on("zlib-api")
    depends_on("libcsv")
    depends_on("ode-physics")
    depends_on("python", type="run")
    depends_on("py-h5py", type="run")
    depends_on("py-matplotlib", type="run")

    def edit(self, spec, prefix):
        """A config.mk says where the libraries are; the Makefile asks pkg-config for the others."""
        libraries = ["netlib-scalapack", "blis", "libcsv"]
        headers = ["random123", "libcsv"]
        if spec.satisfies("+libxsmm"):
            libraries.append("libxsmm")
            headers.append("libxsmm")
        with open("config.mk", "w") as config:
            config.write(f"MPICC = {spec['mpi'].mpicc}\n")
            config.write("ARCH =\n")  # the compiler wrapper gives the target's own
            config.write(f"PRECISION = {'double' if spec.satisfies('+double') else 'single'}\n")
            config.write(f"XSMM = {'yes' if spec.satisfies('+libxsmm') else 'no'}\n")
            config.write(f"BLIS_CFLAGS = -I{spec['blis'].prefix.include}/blis\n")
            config.write(f"BLIS_LIBS = -L{spec['blis'].prefix.lib} -lblis\n")
            config.write("SCALAPACK_LIBS = -lscalapack\n")
            config.write("CFLAGS = " + " ".join(f"-I{spec[name].prefix.include}" for name in headers) + "\n")
            config.write("LDFLAGS = " + " ".join(f"-L{spec[name].prefix.lib}" for name in libraries) + "\n")

    def install(self, spec, prefix):
        make("install", f"PREFIX={prefix}")
