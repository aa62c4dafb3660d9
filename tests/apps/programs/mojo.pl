# Mojolicious, on its own event loop or libev's: perl mojo.pl server|prefork|client PORT.
use Mojolicious::Lite -signatures;
use Mojo::Promise;
use Mojo::UserAgent;
use Mojo::Server::Daemon;
use Mojo::Server::Prefork;

my ($mode, $port) = @ARGV;
app->log->level('error');
app->max_request_size(8 << 20);
post '/*rest' => { rest => '' } => sub ($c) {
    my $body = $c->req->body;
    $c->render(data => length $body ? $body : $c->req->url->path->to_string);
};
websocket '/socket' => sub ($c) {
    $c->on(message => sub ($c, $message) { $c->send(uc $message) });
};

sub client {
    my $agent = Mojo::UserAgent->new(max_connections => 8, request_timeout => 20);
    my $root = "http://127.0.0.1:$port";
    my @answers;
    Mojo::Promise->map({ concurrency => 16 }, sub { $agent->post_p("$root/$_") }, 1 .. 60)->then(sub {
        @answers = map { $_->[0]->res->body } @_;
    })->catch(sub { die "@_" })->wait;
    die "answers @answers\n" if "@answers" ne join ' ', map {"/$_"} 1 .. 60;
    my $body = join ',', 1 .. 150_000;
    die "a megabyte differs\n" if $agent->post("$root/", {}, $body)->res->body ne $body;
    my $heard = '';
    $agent->websocket("ws://127.0.0.1:$port/socket" => sub ($agent, $tx) {
        return Mojo::IOLoop->stop unless $tx->is_websocket;
        $tx->on(finish => sub { Mojo::IOLoop->stop });
        $tx->on(message => sub ($tx, $message) { $heard .= $message; length $heard < 10 ? $tx->send('again') : $tx->finish });
        $tx->send('hello');
    });
    Mojo::IOLoop->timer(20 => sub { die "no end\n" });
    Mojo::IOLoop->start;
    die "heard $heard\n" if $heard ne 'HELLOAGAIN';
}

my %settings = (app => app, listen => ["http://127.0.0.1:$port"], silent => 1);
if ($mode eq 'client') {
    client();
} elsif ($mode eq 'prefork') {
    Mojo::Server::Prefork->new(%settings, workers => 2, pid_file => "$ENV{TMPDIR}/mojo.pid")->run;
} else {
    Mojo::Server::Daemon->new(%settings)->run;
}
