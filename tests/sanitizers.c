/* Linked into what MODE=asan and MODE=fuzz build: how the sanitizers behave there, and which leaks are not ours. Whatever starts
 * the programs needs to set nothing. The environment (ASAN_OPTIONS, UBSAN_OPTIONS, LSAN_OPTIONS) goes over this. */

int dlclose(void *handle);
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__asan_default_suppressions(void);
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

/* Open MPI unloads its parts before the end: then no leak in them could be told from ours by name. */
int dlclose(void *handle) {
    (void)handle;
    return 0;
}

/* handle_...=0: signals are the program's, which writes down what its cell died of (study/claim.h), and tests send some on
 * purpose. verify_asan_link_order=0: tests/faults put a library before all others. detect_odr_violation=0: Open MPI's plugins
 * define names twice. A report ends in an exit code, not in SIGABRT, by which a
 * child that rehearses a file would tell of that file (io/h5.h): so its parent comes to the same report. */
const char *__asan_default_options(void) {
    return "abort_on_error=0:exitcode=99:handle_abort=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:"
           "detect_odr_violation=0:allocator_may_return_null=1:verify_asan_link_order=0";
}

const char *__ubsan_default_options(void) {
    return "print_stacktrace=1:halt_on_error=1";
}

const char *__lsan_default_options(void) {
    return "print_suppressions=0";
}

/* HDF5 copies from beyond its memory where headers under right checksums say so (tests/damage.h). */
const char *__asan_default_suppressions(void) {
    return "interceptor_via_lib:libhdf5\n";
}

/* What libraries keep until the process ends. Ours comes from base/arena alone, so what the C library makes for a caller (vasprintf,
 * strdup) is theirs. */
const char *__lsan_default_suppressions(void) {
    return "leak:libopen-pal\n"
           "leak:libopen-rte\n"
           "leak:libmpi.so\n"
           "leak:libpmix\n"
           "leak:mca_\n"
           "leak:libhwloc\n"
           "leak:libevent\n"
           "leak:libucs\n"
           "leak:libuct\n"
           "leak:libucp\n"
           "leak:libfabric\n"
           "leak:libpetsc\n"
           "leak:libhdf5\n"
           "leak:libblis\n"
           "leak:libxsmm\n"
           "leak:vasprintf\n"
           "leak:strdup\n";
}
