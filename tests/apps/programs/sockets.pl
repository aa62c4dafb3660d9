# Perl's servers and clients: perl sockets.pl MODE PORT [ARGUMENT…]. A client ends with a message where an answer is wrong.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Socket;

my ($mode, $port, @arguments) = @ARGV;
$SIG{CHLD} = 'IGNORE';

sub connection {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10) // die "connect: $@";
}

sub listener {
    return IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 64, ReuseAddr => 1) // die "listen: $@";
}

# Numbers that differ from place to place, so that nothing can be exchanged unseen.
sub data {
    my $size = shift;
    return substr(join(',', $$, int(rand(1 << 30)), 0 .. $size / 2), 0, $size);
}

sub whole {
    my ($socket, $data) = @_;
    for (my $at = 0; $at < length $data;) {
        $at += syswrite($socket, $data, length($data) - $at, $at) // die "write: $!";
    }
}

# A process a connection, Perl's buffered lines in both directions.
sub forks_server {
    my $listener = listener();
    while (my $client = $listener->accept) {
        if (fork) {
            close $client;
            next;
        }
        close $listener;
        $client->autoflush(1);
        while (my $line = <$client>) {
            print $client $line;
        }
        close $client or die "close: $!";
        exit 0;
    }
}

# The child writes, the parent reads what comes back.
sub forks_client {
    my ($size, $count) = @arguments;
    for my $turn (1 .. $count) {
        my ($socket, $data) = (connection(), data($size) . "\n");
        my $child = fork // die "fork: $!";
        if (!$child) {
            whole($socket, $data);
            shutdown $socket, 1;
            exit 0;
        }
        local $/;
        my $got = <$socket>;
        die "turn $turn: the echo differs: " . length($got) . ' of ' . length($data) . " bytes\n" if $got ne $data;
        close $socket or die "close: $!";
    }
}

# One process and select for all.
sub select_server {
    my $listener = listener();
    my $select = IO::Select->new($listener);
    while (my @ready = $select->can_read) {
        for my $socket (@ready) {
            if ($socket == $listener) {
                $select->add($listener->accept);
                next;
            }
            my $got = sysread $socket, my $part, 10_000;
            if ($got) {
                whole($socket, $part);
            } else {
                $select->remove($socket);
                close $socket;
            }
        }
    }
}

# Sixteen at once; send, recv, a look without taking, what the socket says of itself.
sub select_client {
    my ($size, $count) = @arguments;
    my %open = map { my $s = connection(); $s => { socket => $s, data => data($size), got => '' } } 1 .. $count;
    die "a program that is started meanwhile\n" if `echo from a shell` ne "from a shell\n";
    my $select = IO::Select->new(map { $_->{socket} } values %open);
    send($_->{socket}, $_->{data}, 0) == $size || die "send: $!" for values %open;
    while ($select->count) {
        my @ready = $select->can_read(10) or die "nothing became ready\n";
        for my $socket (@ready) {
            my $talk = $open{$socket};
            defined recv($socket, my $look, 100, MSG_PEEK) or die "recv: $!";
            defined recv($socket, my $part, 3000, 0) or die "recv: $!";
            die "a look saw something else\n" if index($part, $look) != 0;
            $talk->{got} .= $part;
            next if length $talk->{got} < $size;
            die "the echo differs\n" if $talk->{got} ne $talk->{data};
            die "not connected\n" unless $socket->connected && $socket->peerport == $port;
            die 'SO_ERROR ' . $socket->sockopt(SO_ERROR) . "\n" if $socket->sockopt(SO_ERROR);
            $select->remove($socket);
            close $socket;
        }
    }
}

sub http_server {
    require HTTP::Daemon;
    require HTTP::Response;
    my $daemon = HTTP::Daemon->new(LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1) // die "listen: $@";
    while (my $client = $daemon->accept) {
        if (fork) {
            close $client;
            next;
        }
        while (my $request = $client->get_request) {
            my $answer = length $request->content ? $request->content : 'hello ' . $request->uri->path;
            $client->send_response(HTTP::Response->new(200, 'OK', undef, $answer));
        }
        $client->close;
        exit 0;
    }
}

sub http_client {
    require LWP::UserAgent;
    my $agent = LWP::UserAgent->new(keep_alive => 1, timeout => 10);
    my $root = "http://127.0.0.1:$port";
    for my $turn (1 .. 20) {
        my $answer = $agent->get("$root/$turn");
        die "answer $turn: " . $answer->as_string if $answer->content ne "hello /$turn";
    }
    my $body = data(1_000_000);
    die "1 MB there and back differs\n" if $agent->post("$root/", Content => $body)->content ne $body;
    die "more than one connection\n" if $agent->conn_cache->get_connections != 1;
}

my %modes = (
    'forks-server' => \&forks_server, 'forks-client' => \&forks_client,
    'select-server' => \&select_server, 'select-client' => \&select_client,
    'http-server' => \&http_server, 'http-client' => \&http_client,
);
$modes{$mode}->();
