/* verify FILE...: published answers against obtained ones. */
#include "commands.h"

#include "base/log.h"
#include "verify/verify.h"
#include "par/comm.h"

Err cmd_verify(int argc, char **argv, int *code) {
    Verify v = {0};
    for (int i = 1; i < argc; i++)
        if (argv[i][0] == '-') return err_user("equiscale verify: %s: want paths of tables only", argv[i]);
    for (int i = 1; i < argc; i++) TRY(verify_file(&v, argv[i], comm_world()));
    verify_synthetic(&v, comm_world());
    if (argc == 1) log_text("\nno tables were given: synthetic laws only");
    log_text("\n%d passed, %d failed", v.passed, v.failed);
    *code = v.failed ? 1 : 0;
    return ERR_NONE;
}
