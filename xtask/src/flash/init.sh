#!/bin/busybox sh
# The first program of an appliance: finds the owner's files, starts ocellus, and sees that answers come.
#
# Nothing is ever written to the card: this system lives in memory, and the owner's partition is only read. So the power
# may go at any moment.
#
# The light (ACT): on = starting; changes with every answer; 1 s on, 1 s off = waits for the camera, or got a frame that
# cannot be answered; flickers = ocellus ended, and the console says why.
#
# Settings stand below, in ocellus.conf on the owner's partition, and on the kernel's command line (ocellus.NAME=VALUE);
# the last one counts.

source=/dev/video0 # a camera, or a file or folder of the owner's partition
labels=labels.txt  # one label a line
patience=60        # seconds without an answer until ocellus is started again
watchdog=yes       # no: a board that hangs stays hung
answers=           # power off after so many; for tests

# What else ocellus is told, an option on each line.
options=/run/options

# What the appliance runs: the only place that knows. It ends when it has nothing more to answer.
look() {
    while IFS= read -r option; do
        set -- "$@" "$option"
    done <"$options"
    exec ocellus watch --source "$source" --labels-file "$labels" --json "$@"
}

# Whether there is something to look at: a device may come later, a file of the owner's does not.
is_there() {
    [ -e "$source" ] || [ "${source#/dev/}" = "$source" ]
}

main() {
    start_system
    mount_data
    read_command_line
    say "cameras:$(names /dev/video*); pins:$(names /dev/gpiochip*); $(cat /proc/device-tree/model 2>/dev/null)"
    open_watchdog
    # A test looks at the pins meanwhile.
    [ ! -x /etc/beside ] || /etc/beside &
    mkfifo /run/answers
    exec 4<>/run/answers
    while :; do
        wait_until_there
        light on
        supervise
        light flicker
        pause 5
    done
}

# One run of ocellus, until it ends or is stuck.
supervise() {
    (
        (look)
        echo "ended $?"
    ) </dev/null >&4 4>&- 5>&- &
    idle=0
    while :; do
        feed
        if IFS= read -r -t 5 text <&4; then
            case $text in
            "ended "*)
                say "ocellus ended with exit code ${text#ended }"
                return
                ;;
            esac
            idle=0
            stuck=0
            case $text in
            *'"error":{'*)
                line "$text"
                light wait
                ;;
            *) answered "$text" ;;
            esac
        else
            idle=$((idle + 5))
            [ "$idle" -lt "$patience" ] && continue
            stuck=$((stuck + 1))
            say "no answer in $idle s: starting ocellus again"
            # A camera that hangs, hangs until its bus is started again.
            [ "$stuck" -lt 3 ] || restart "stuck three times without an answer"
            killall -9 ocellus
            idle=0
        fi
    done
}

answered() {
    count=$((count + 1))
    [ "$count" -gt 1 ] || say "first answer $(uptime_s) s after the kernel started"
    # A serial console takes some thousand letters a second, and no answer is to wait for it.
    read -r now _ </proc/uptime
    [ "${now%.*}" = "$shown" ] || line "$1"
    shown=${now%.*}
    light change
    if [ "$count" = "$answers" ]; then
        say "$count answers: powering off"
        poweroff -f
    fi
}

start_system() {
    /bin/busybox mount -t devtmpfs dev /dev
    /bin/busybox mount -t proc proc /proc
    /bin/busybox mount -t sysfs sysfs /sys
    /bin/busybox mount -t tmpfs -o size=16m tmpfs /run
    /bin/busybox --install -s /bin
    export PATH=/bin
    : >"$options"
    # Each line is a module and its parameters, after those that it depends on.
    cat /etc/modules.d/* | while read -r module parameters; do
        # shellcheck disable=SC2086 # parameters are words
        insmod "/lib/modules/$module" $parameters || say "cannot load $module"
    done
    for led in /sys/class/leds/*ACT* /sys/class/leds/*led-act*; do
        [ -e "$led/brightness" ] && break
        led=
    done
    light on
}

# The owner's files become the current folder.
mount_data() {
    tries=0
    # A card, or a disk that stands for it, takes a moment to appear.
    until part=$(findfs LABEL=OCELLUSDATA 2>/dev/null); do
        tries=$((tries + 1))
        if [ "$tries" -ge 50 ]; then
            say "no partition OCELLUSDATA: going on with what the image came with"
            cd /data || say "no folder /data"
            return
        fi
        usleep 200000
    done
    mount -t vfat -o ro,nosuid,nodev,noexec,utf8 "$part" /data || say "cannot read $part"
    cd /data || return
    [ ! -r ocellus.conf ] || while IFS= read -r text || [ -n "$text" ]; do
        # As Windows ends its lines.
        setting "${text%"$(printf '\r')"}" ocellus.conf
    done <ocellus.conf
}

read_command_line() {
    read -r text </proc/cmdline
    for word in $text; do
        case $word in
        ocellus.*) setting "${word#ocellus.}" "the kernel's command line" ;;
        esac
    done
}

setting() {
    case $1 in
    '' | '#'*) ;;
    source=*) source=${1#*=} ;;
    labels=*) labels=${1#*=} ;;
    # Options of `ocellus watch` that it is given as they are; on and pin may be repeated.
    on=* | pin=* | chip=* | hold=* | interval=* | crop=* | size=*) echo "--$1" >>"$options" ;;
    watchdog=yes | watchdog=no) watchdog=${1#*=} ;;
    patience=*[!0-9]* | patience= | answers=*[!0-9]*) say "$2: not a number: $1" ;;
    patience=*) patience=${1#*=} ;;
    answers=*) answers=${1#*=} ;;
    *) say "$2: not understood: $1" ;;
    esac
}

wait_until_there() {
    is_there && return
    say "waiting for $source"
    light wait
    until is_there; do
        pause 1
    done
    say "found $source"
}

# The board starts again when this script does not come around. That inference goes on is what `supervise` sees to.
open_watchdog() {
    [ "$watchdog" = yes ] || return 0
    # A shell that cannot open what it is told to ends: another one tries.
    if ! (echo V >/dev/watchdog) 2>/dev/null; then
        say "no watchdog"
        return
    fi
    exec 5>/dev/watchdog
    watched=yes
}

feed() {
    [ -z "$watched" ] || echo >&5
}

# Seconds, with the watchdog fed.
pause() {
    left=$1
    while [ "$left" -gt 0 ]; do
        feed
        sleep 1
        left=$((left - 1))
    done
}

restart() {
    say "$1: starting the board again"
    sleep 2
    reboot -f
}

light() {
    [ -n "$led" ] || return 0
    case $1 in
    on | change) trigger=none ;;
    *) trigger=timer ;;
    esac
    [ "$trigger" = "$lit_by" ] || echo "$trigger" >"$led/trigger"
    lit_by=$trigger
    case $1 in
    on) lit=1 ;;
    change) lit=$((1 - lit)) ;;
    wait) period=1000 ;;
    flicker) period=100 ;;
    esac
    if [ "$trigger" = timer ]; then
        echo "$period" >"$led/delay_on"
        echo "$period" >"$led/delay_off"
    else
        echo "$lit" >"$led/brightness"
    fi
}

say() {
    line "ocellus: $*"
}

# To the serial console, and to a screen where there is one.
line() {
    echo "$1"
    [ ! -w /dev/tty1 ] || echo "$1" >/dev/tty1
}

names() {
    for name; do
        [ ! -e "$name" ] || printf ' %s' "$name"
    done
}

uptime_s() {
    read -r seconds _ </proc/uptime
    echo "$seconds"
}

led=
lit=1
lit_by=
watched=
count=0
shown=
stuck=0
main
