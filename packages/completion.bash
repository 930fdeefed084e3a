# Completion of equiscale in bash: subcommands, study files, and the keys that the program itself lists.
_equiscale() {
    local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]:-}
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(equiscale help -names 2>/dev/null)" -- "$current")
    elif [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(equiscale help "$command" -names 2>/dev/null)" -- "$current")
    else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}
complete -F _equiscale equiscale
