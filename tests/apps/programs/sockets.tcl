# Tcl's channels: tclsh sockets.tcl server|copies|client PORT [BYTES COUNT]. A client ends with status 1 where an answer is wrong.
lassign $argv mode port size count

proc answer {channel address port} {
    fconfigure $channel -blocking 0 -translation binary -buffersize 65536
    fileevent $channel readable [list echoes $channel]
}

proc echoes {channel} {
    puts -nonewline $channel [read $channel 65536]
    flush $channel
    if {[eof $channel]} {
        # What is not sent yet goes in the background.
        close $channel
    }
}

# The same by a copy that Tcl does by itself.
proc copies {channel address port} {
    fconfigure $channel -translation binary -buffersize 65536
    fcopy $channel $channel -command [list copied $channel]
}

proc copied {channel bytes {problem ""}} {
    if {$problem ne ""} {
        puts stderr $problem
    }
    close $channel
}

# Connects without waiting; sends and receives when the channel says so; ends its own side first.
proc ask {data} {
    global port sent
    set channel [socket -async 127.0.0.1 $port]
    set sent($channel) $data
    fconfigure $channel -blocking 0 -translation binary -buffersize 65536
    fileevent $channel writable [list connected $channel]
}

proc connected {channel} {
    set problem [fconfigure $channel -error]
    if {$problem ne ""} {
        wrong $problem
    }
    fileevent $channel readable [list hears $channel]
    fileevent $channel writable [list sends $channel 0]
}

proc sends {channel at} {
    global sent
    set next [expr {$at + 65536}]
    puts -nonewline $channel [string range $sent($channel) $at $next-1]
    flush $channel
    if {$next < [string length $sent($channel)]} {
        fileevent $channel writable [list sends $channel $next]
    } else {
        fileevent $channel writable {}
        close $channel write
    }
}

proc hears {channel} {
    global got sent left
    # Once: a program that is started meanwhile takes nothing away.
    if {![info exists ::asked] && [set ::asked [exec echo from a program]] ne "from a program"} {
        wrong $::asked
    }
    append got($channel) [read $channel]
    if {[eof $channel]} {
        if {$got($channel) ne $sent($channel)} {
            wrong "[string length $got($channel)] of [string length $sent($channel)] bytes came back, or they differ"
        }
        close $channel
        unset got($channel) sent($channel)
        incr left -1
    }
}

proc wrong {problem} {
    puts stderr $problem
    exit 1
}

switch $mode {
    server {
        socket -server answer -myaddr 127.0.0.1 $port
        vwait forever
    }
    copies {
        socket -server copies -myaddr 127.0.0.1 $port
        vwait forever
    }
    client {
        set left $count
        for {set i 0} {$i < $count} {incr i} {
            set lines {}
            for {set n 0} {$n * 20 < $size} {incr n} {
                lappend lines [format "%19d" [expr {$i * $size + $n}]]
            }
            ask [encoding convertto utf-8 [join $lines \n]]
        }
        after 20000 {wrong "no end: $left connections"}
        while {$left > 0} {
            vwait left
        }
    }
}
