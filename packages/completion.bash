# Completion of equiscale in bash: commands and what they take, keys, their values, files. All from what the program says of itself.
_equiscale() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]:-}
    local program=equiscale words="" line key="" front=""
    COMPREPLY=()
    if command -v -- "${1:-equiscale}" >/dev/null 2>&1; then program=${1:-equiscale}; fi
    # -key=value comes as three words, or as two where nothing follows the sign yet.
    if [ "$current" = = ]; then key=$before current=""; fi
    if [ "$before" = = ]; then key=${COMP_WORDS[COMP_CWORD - 2]}; fi
    if [ -z "$key" ] && [[ $before == -[a-z-]* ]] && [[ $current != -* ]]; then key=$before; fi
    if [ "$COMP_CWORD" = 1 ]; then
        words=$("$program" help 2>/dev/null | sed -nE '/^Commands/,/^$/s/^  ([a-z]+) .*/\1/p')
    elif [ -n "$key" ]; then
        # What the key may be: its choices, each entry of a list; true or false; else any file.
        key=${key#-} key=${key#-}
        line=$("$program" help "$command" 2>/dev/null | grep -E -- "^  -${key//./_} ")
        words=$(sed -nE 's/.*: ([A-Za-z0-9_-]+(\|[A-Za-z0-9_-]+)+); unit .*/\1/p' <<<"$line" | tr '|' ' ')
        case $line in *"; default true" | *"; default false") words="true false" ;; esac
        if [[ $current == *,* ]]; then front=${current%,*},; fi
    elif [[ $current == -* ]]; then
        words="-h -quiet $("$program" help "$command" 2>/dev/null | sed -nE 's/^  (-[a-z_0-9]+) .*/\1/p')"
    elif [ "$COMP_CWORD" = 2 ]; then
        # What stands first after some commands: the words before a space in `a|b|c STUDY.yaml`, keys, commands.
        words=$("$program" help "$command" 2>/dev/null | sed -nE '1s/^Usage: equiscale [a-z]+ ([a-z]+(\|[a-z]+)+) .*/\1/p' | tr '|' ' ')
        case $command in
        keys | help) words+=" $("$program" keys 2>/dev/null | sed -nE 's/^  (([a-z_0-9]+)\.[a-z_0-9.]+) .*/\1 \2/p')" ;;
        esac
        if [ "$command" = help ]; then
            words+=" $("$program" help 2>/dev/null | sed -nE '/^Commands/,/^$/s/^  ([a-z]+) .*/\1/p')"
        fi
    fi
    if [ -n "$words" ]; then
        mapfile -t COMPREPLY < <(compgen -P "$front" -W "$words" -- "${current#"$front"}" | sort -u)
        # A study file may stand where a key may.
        if [ "$command" != keys ] || [ "$COMP_CWORD" != 2 ]; then return; fi
    fi
    compopt -o filenames 2>/dev/null
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
}
complete -F _equiscale equiscale
