# Runs on the board, by its sh: measures what is in use there. Standard input is a tar of the files that the arguments
# name; what is written stays in DIR/measured until the next time.
#
#     DIR OPTIONS...
dir=$1
shift
fail() {
    echo "board: error: $1" >&2
    exit 1
}
cd "$dir" && [ -x current/bin/ocellus ] || fail "nothing is deployed in $dir; run \`cargo xtask deploy\` first"
exec 9>>measured.lock
flock -n 9 || fail "another measurement is at work; both would be slower"
rm -rf measured && mkdir measured && tar -xf - -C measured || fail "cannot write to $dir; is its disk full?"
cd measured && exec ../current/bin/ocellus bench "$@"
