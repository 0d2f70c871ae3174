#compdef ptx
# ptx: completion for zsh, by: eval "$(ptx completion zsh)"
_ptx() {
    local -a found open closed
    local line
    found=("${(@f)$(ptx completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $found; do
        if [[ ${line%%$'\t'*} == *[=./,\[] ]]; then
            open+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        else
            closed+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        fi
    done
    (( $#open )) && _describe -V ptx open -Q -S ''
    (( $#closed )) && _describe -V ptx closed -Q
}
compdef _ptx ptx
