# Runs on the board, by its sh, and does one deploy or one rollback as a whole: a connection that is lost stops nothing
# but the copy, and whatever moment the power goes, `current` names a whole slot.
#
#     DIR/a, DIR/b    slots: what an archive held
#     DIR/current     a link to the slot in use; it changes by rename(2)
#     DIR/proving     while a new slot has yet to be found healthy: the slot before it, or "none"
#
# Standard input is the archive. Exit codes: 0 ok, 1 failed and nothing changed, 5 rolled back.
action=$1 dir=$2 bytes=$3 unpacked_kib=$4 sha256=$5 glibc=$6 models=$7 restart=$8 health=$9
receiving=
umask 022
trap '' HUP PIPE

say() { echo "board: $1"; }
fail() {
    echo "board: error: $1" >&2
    [ -z "$receiving" ] || rm -rf incoming incoming.tar.gz
    exit 1
}

look() {
    machine=$(uname -m)
    [ "$machine" = aarch64 ] || fail "expected a 64-bit ARM system (aarch64), got $machine; is this the right host?"
    bits=$(getconf LONG_BIT)
    [ "$bits" = 64 ] || fail "expected programs of 64 bits, got a system of $bits bits on a 64-bit kernel; install the 64-bit system"
    has=$(getconf GNU_LIBC_VERSION)
    has=${has#glibc }
    [ "$(printf '%s\n%s\n' "$glibc" "$has" | sort -V | head -n 1)" = "$glibc" ] ||
        fail "expected glibc $glibc or newer, got $has; update the board's system"
    # Where the system names no board, it may be any.
    model=$(cat /proc/device-tree/model 2>/dev/null | tr -d '\000')
    other=$(echo "$models" | while IFS='|' read -r id known; do
        case "$model " in "$known"*) echo "$id" ;; esac
    done)
    [ -z "$other" ] || fail "this is a board of another kind, \"$model\"; give --board $other"
}

# Makes `current` name a slot, in one step.
point() {
    rm -f next
    if [ "$1" = none ]; then
        rm -f current
    else
        ln -s "$1" next && mv -T next current
    fi && sync
}

# Whatever the command starts in the background does not keep the lock.
restart() {
    [ -z "$restart" ] || sh -c "$restart" </dev/null 9>&- || { said="the restart failed: $restart" && false; }
}

healthy() {
    said=$("$1/bin/ocellus" doctor --json 2>&1 </dev/null) || return 1
    [ "$1" != current ] || [ -z "$health" ] ||
        said=$(sh -c "$health" 2>&1 </dev/null 9>&-) || { said="$health: $said" && false; }
}

# A deploy that the power cut between the switch and the health check is undone.
recover() {
    [ -e proving ] || return 0
    before=$(cat proving)
    say "the last deploy ended before it was found healthy; back to slot $before"
    point "$before" && restart
    rm -f proving && sync
}

# Switches to a slot; back again if it is not healthy there.
prove() {
    echo "$old" >proving.new && sync && mv proving.new proving && sync && point "$1" ||
        fail "cannot switch to slot $1 in $dir"
    say "slot $1 is current"
    if restart && healthy current; then
        rm -f proving && sync
        say "healthy"
        exit 0
    fi
    echo "board: error: slot $1 is not healthy in use: $said" >&2
    point "$old" && restart
    rm -f proving && sync
    say "rolled back to slot $old"
    exit 5
}

receive() {
    receiving=1
    rm -rf incoming incoming.tar.gz trash
    need=$((bytes / 1024 + unpacked_kib + 1024))
    free=$(df -Pk . | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$need" ] || fail "expected $need KiB free in $dir, got $free; make room on the board"
    cat >incoming.tar.gz || fail "cannot write to $dir; is its disk full?"
    [ "$(sha256sum <incoming.tar.gz | cut -d ' ' -f 1)" = "$sha256" ] ||
        fail "what arrived is not what was sent; run again"
    mkdir incoming && tar -xzf incoming.tar.gz -C incoming --strip-components=1 ||
        fail "cannot unpack the archive in $dir; is its disk full?"
    rm -f incoming.tar.gz
    sync
    say "received and verified"
    healthy incoming || fail "the new program is not healthy on this board, and was not put to use: $said"
    [ ! -e "$other" ] || mv -T "$other" trash || fail "cannot free slot $other"
    mv -T incoming "$other" && sync || fail "cannot fill slot $other"
    rm -rf trash
    receiving=
}

look
mkdir -p "$dir" && cd "$dir" || fail "cannot make $dir; give a folder that the user may write, with --dir"
(: >>lock) 2>/dev/null || fail "cannot write to $dir; give a folder that the user may write, with --dir"
exec 9>>lock
flock -n 9 || fail "another deploy to $dir is at work; wait for its end"
said=
recover
old=$(readlink current) || old=none
case $old in
a) other=b ;;
*) other=a ;;
esac
case $action in
deploy) receive ;;
rollback) [ -x "$other/bin/ocellus" ] || fail "there is no other slot to go back to" ;;
esac
prove "$other"
