# ptx: completion for fish, by: ptx completion fish > ~/.config/fish/completions/ptx.fish
function __ptx_words
    set -l typed (commandline -opc)
    ptx completion words -- $typed[2..] (commandline -ct) 2>/dev/null
end
complete -c ptx -f -k -a '(__ptx_words)'
