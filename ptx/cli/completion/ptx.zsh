#compdef ptx
# ptx: completion for zsh, by: eval "$(ptx completion zsh)"
_ptx() {
    local -a found open closed
    local line
    # typed words without their quotes; zsh quotes what it inserts: eval=[bench] as it stands is a pattern to it
    found=("${(@f)$(ptx completion words -- "${(@)${(@Q)words[2,CURRENT]}#[\'\"]}" 2>/dev/null)}")
    for line in $found; do
        if [[ ${line%%$'\t'*} == *[=./,\[] ]]; then
            open+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        else
            closed+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        fi
    done
    (( $#open )) && _describe -V ptx open -S ''
    (( $#closed )) && _describe -V ptx closed
}
compdef _ptx ptx
