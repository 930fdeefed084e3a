# Completion of equiscale in bash: commands, the keys that a command takes, files. All from what the program says of itself.
_equiscale() {
    local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]:-} words
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        words=$(equiscale help 2>/dev/null | sed -nE '/^Commands/,/^$/s/^  ([a-z]+) .*/\1/p')
    elif [[ $current == -* ]]; then
        words="-h -quiet $(equiscale help "$command" 2>/dev/null | sed -nE 's/^  (-[a-z_0-9]+) .*/\1/p')"
    else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _equiscale equiscale
