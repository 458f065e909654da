//! The scripts that connect a shell to `__complete`. `NAME` stands for the program.

/// The script for `shell`.
pub fn of(shell: &str) -> Option<&'static str> {
    match shell {
        "bash" => Some(BASH),
        "zsh" => Some(ZSH),
        "fish" => Some(FISH),
        _ => None,
    }
}

/// The line is split at blanks only, whatever COMP_WORDBREAKS says; since readline replaces what follows the last
/// break, candidates lose what stands before it.
const BASH: &str = r#"# bash completion for NAME

__NAME_complete() {
    local line="${COMP_LINE:0:COMP_POINT}" words current last directive candidate before
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    current="${words[${#words[@]}-1]}"
    mapfile -t COMPREPLY < <("${words[0]}" __completeNoDesc "${words[@]:1}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -gt 0 ]] || return
    last=$((${#COMPREPLY[@]} - 1))
    directive="${COMPREPLY[last]#:}"
    unset "COMPREPLY[last]"
    before="${current%"${current##*[:=]}"}"
    for last in "${!COMPREPLY[@]}"; do
        candidate="${COMPREPLY[last]}"
        COMPREPLY[last]="${candidate#"$before"}"
    done
    ((directive & 2)) && compopt -o nospace 2>/dev/null
    ((directive & 16)) && compopt -o dirnames 2>/dev/null
    ((directive & 4)) || compopt -o default 2>/dev/null
    return 0
}

complete -F __NAME_complete NAME
"#;

const ZSH: &str = r#"#compdef NAME
# zsh completion for NAME

_NAME() {
    local -a lines candidates
    local line directive
    lines=("${(@f)$(${words[1]} __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    directive=${lines[-1]#:}
    lines[-1]=()
    for line in $lines; do
        candidates+=("${${line%%$'\t'*}//:/\\:}:${${line#*$'\t'}#${line}}")
    done
    if (( directive & 16 )); then
        _path_files -/
    elif (( ${#candidates} )); then
        if (( directive & 2 )); then
            _describe 'NAME' candidates -S ''
        else
            _describe 'NAME' candidates
        fi
    elif ! (( directive & 4 )); then
        _files
    fi
}

if [ "$funcstack[1]" = "_NAME" ]; then
    _NAME "$@"
else
    compdef _NAME NAME
fi
"#;

const FISH: &str = r#"# fish completion for NAME

function __NAME_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    test (count $lines) -gt 0; or return
    set -l directive (string sub -s 2 -- $lines[-1])
    if test (count $lines) -gt 1
        # after --flag= the shell wants the whole word
        set -l before (string match -r -- '^--[^=]*=' "$current")
        for line in $lines[1..-2]
            echo "$before$line"
        end
    else if test (math "bitand($directive, 4)") -eq 0
        __fish_complete_path "$current"
    end
end

complete -c NAME -f -a '(__NAME_complete)'
"#;
