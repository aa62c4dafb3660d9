# bash completion for meshctl. The words come from meshctl itself: 'meshctl help --list [COMMAND]'.

# Words that start with the one being typed.
_meshctl_offer()
{
    local IFS=$'\n'
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# Words of `meshctl help --list` for a command, without the options.
_meshctl_words()
{
    "${COMP_WORDS[0]}" help --list "$@" 2>/dev/null
}

_meshctl()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} words
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _meshctl_offer "$(_meshctl_words)" "$current"
        return
    fi
    if [[ $command == help ]]; then
        if ((COMP_CWORD == 2)); then
            _meshctl_offer "$(_meshctl_words)" "$current"
        elif ((COMP_CWORD == 3)); then
            words=$(_meshctl_words "$previous")
            [[ $words != --* ]] && _meshctl_offer "$words" "$current"
        fi
        return
    fi
    words=$(_meshctl_words "$command")
    if [[ $words != --* ]]; then # a group: the second word completes the command's name
        if ((COMP_CWORD == 2)); then
            _meshctl_offer "$words" "$current"
            return
        fi
        words=$(_meshctl_words "$command" "${COMP_WORDS[2]}")
    fi
    case $previous in
    -o | --output)
        [[ $command == ca ]] || {
            _meshctl_offer $'table\njson\nprometheus' "$current"
            return
        }
        ;;
    --) # meshctl run -- PROGRAM, meshctl bench -- COMMAND
        mapfile -t COMPREPLY < <(compgen -c -- "$current")
        return
        ;;
    esac
    [[ $current == -* ]] && _meshctl_offer "$words" "$current"
}

complete -o default -F _meshctl meshctl
