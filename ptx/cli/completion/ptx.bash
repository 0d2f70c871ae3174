# ptx: completion for bash, by: eval "$(ptx completion bash)"
_ptx() {
    # bash splits words at = and :, so the line is split here, at spaces
    local line=${COMP_LINE:0:$COMP_POINT} current='' words IFS=$' \t\n'
    read -ra words <<< "$line"
    [[ $line == *' ' ]] && words+=('')
    current=${words[-1]}
    local kept=''
    [[ $current == *[=:]* ]] && kept=${current%"${current##*[=:]}"}
    IFS=$'\n'
    COMPREPLY=($(ptx completion words -- "${words[@]:1}" 2>/dev/null | cut -f1))
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=./,[] ]] && compopt -o nospace
    return 0
}
complete -o nosort -F _ptx ptx 2>/dev/null || complete -F _ptx ptx
