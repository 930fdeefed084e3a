#include "fit_again.h"

#include "base/arena.h"
#include "base/log.h"
#include "io/digest.h"
#include "par/comm.h"
#include "study/provenance.h"

#include <stdio.h>
#include <string.h>

/* Keys that say where answers go: an earlier answer is not overwritten unless it is asked for again. */
static bool says_where(const char *key) {
    static const char *const keys[] = {"json", "csv", "latex", "again"};
    for (int i = 0; i < (int)(sizeof keys / sizeof *keys); i++)
        if (!strcmp(key, keys[i])) return true;
    return !strncmp(key, "suggest", 7);
}

static Err check_input(const Json *json, int i, const char *path) {
    const char *file = json_entry_text(json, "inputs", i, "name");
    const char *digest = json_entry_text(json, "inputs", i, "digest");
    uint64_t now;
    int64_t bytes;
    char text[17];
    if (!file || !digest) return err_user("%s: input %d: want its name and digest", path, i + 1);
    TRY(digest_file(&now, &bytes, file));
    snprintf(text, sizeof text, "%016llx", (unsigned long long)now);
    if (strcmp(text, digest))
        return err_user("%s: is not the file that %s was made from: its digest is %s, was %s", file, path, text,
                        digest);
    return ERR_NONE;
}

Err again_read(Again *again, const char *path) {
    *again = (Again){.path = path};
    TRY(json_read(&again->json, path));
    const Json *json = again->json;
    const char *format = json_text(json, "format");
    const char *version = json_text(json, "version");
    int inputs = json_entries(json, "inputs");
    int options = json_entries(json, "options");
    if (!format || strcmp(format, "equiscale-fit-1") || !version || !inputs || !options)
        return err_user("%s: want a fit.json with its inputs and options, as fit -json of this version writes it",
                        path);
    again->file = MEM_NEW(const char *, inputs);
    for (int i = 0; i < inputs; i++) {
        TRY(check_input(json, i, path));
        again->file[again->files++] = json_entry_text(json, "inputs", i, "name");
    }
    if (strcmp(version, provenance_version()))
        log_text("%s is of version %s, this is %s: numbers may differ in their last digits", path, version,
                 provenance_version());
    return ERR_NONE;
}

static const KeySpec *spec_of(const char *key) {
    for (int k = 0; k < n_fit_keys; k++)
        if (!strcmp(fit_keys[k].key, key)) return &fit_keys[k];
    return NULL;
}

Err again_options(FitOptions *options, const Again *again) {
    for (int i = 0; i < json_entries(again->json, "options"); i++) {
        const char *key = json_entry_text(again->json, "options", i, "key");
        const char *value = json_entry_text(again->json, "options", i, "value");
        if (!key || !value) return err_user("%s: option %d: want its key and value", again->path, i + 1);
        if (says_where(key)) continue;
        const KeySpec *spec = spec_of(key);
        if (!spec) return err_user("%s: option %.100s: want one that this version has", again->path, key);
        if (*value && !options_given(key)) TRY(options_put(options, spec, value, again->path));
    }
    return ERR_NONE;
}

void again_free(Again *again) {
    mem_free(again->file);
    json_free(again->json);
    *again = (Again){0};
}
