<?php
/* PHP's own ways to a socket. Usage: sockets.php server PORT | streams URL FILE | curl URL FILE | echoes PORT FILE */

error_reporting(E_ALL);
set_error_handler(function ($number, $text, $file, $line) {
    throw new ErrorException($text, 0, $number, $file, $line);
});

function must(bool $holds, string $what): void
{
    if (!$holds) {
        fwrite(STDERR, "not so: $what\n");
        exit(1);
    }
}

/* A process a connection, which gives back what it gets. */
function server(int $port): void
{
    pcntl_signal(SIGCHLD, SIG_IGN);
    $listener = stream_socket_server("tcp://127.0.0.1:$port");
    while (true) {
        $connection = stream_socket_accept($listener, -1);
        if (pcntl_fork() === 0) {
            fclose($listener);
            stream_copy_to_stream($connection, $connection);
            exit(0);
        }
        fclose($connection);
    }
}

function streams(string $url, string $file): void
{
    $content = file_get_contents($file);
    must(file_get_contents("$url/1m") === $content, "http:// gives the file");
    $post = stream_context_create(["http" => ["method" => "POST", "content" => $content, "timeout" => 15,
        "header" => "Content-Type: application/octet-stream"]]);
    must(file_get_contents("$url/echo.php", false, $post) === $content, "POST gives the body back");
    try {
        file_get_contents("$url/none");
        must(false, "404 warns");
    } catch (ErrorException $e) {
        must(str_contains($e->getMessage(), "404"), "404 is what it warns of");
    }
    echo "streams: ", strlen($content), " there and back\n";
}

function curl(string $url, string $file): void
{
    $content = file_get_contents($file);
    $kept = curl_init();
    curl_setopt_array($kept, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 15, CURLOPT_HTTPHEADER => ["Expect:"]]);
    for ($i = 0; $i < 20; $i++) {
        curl_setopt($kept, CURLOPT_URL, "$url/echo.php?n=$i");
        must(curl_exec($kept) === "n=$i", "answer $i");
    }
    curl_setopt_array($kept, [CURLOPT_URL => "$url/echo.php", CURLOPT_POSTFIELDS => $content]);
    must(curl_exec($kept) === $content, "POST gives the body back");
    curl_close($kept);

    $all = curl_multi_init();
    $each = [];
    for ($i = 0; $i < 12; $i++) {
        $each[$i] = curl_init("$url/1m");
        curl_setopt_array($each[$i], [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 15]);
        curl_multi_add_handle($all, $each[$i]);
    }
    do {
        curl_multi_exec($all, $running);
        curl_multi_select($all, 0.5);
    } while ($running);
    foreach ($each as $i => $one) {
        must(curl_multi_getcontent($one) === $content, "file $i of those at once");
    }
    echo "curl: 20 on one handle, 12 at once\n";
}

/* Both directions at once by select, as extension "sockets" has it, then lines and a time-out by streams. */
function echoes(int $port, string $file): void
{
    $content = file_get_contents($file);
    $socket = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
    must(socket_connect($socket, "127.0.0.1", $port), "connect");
    socket_set_nonblock($socket);
    $sent = 0;
    $got = "";
    while (true) {
        $read = [$socket];
        $write = $sent < strlen($content) ? [$socket] : [];
        $except = null;
        must(socket_select($read, $write, $except, 15) > 0, "select before its time-out");
        if ($write) {
            $sent += socket_write($socket, substr($content, $sent, 70000));
            if ($sent === strlen($content)) {
                socket_shutdown($socket, 1);
            }
        }
        if ($read) {
            $piece = socket_read($socket, 65536);
            if ($piece === "") {
                break;
            }
            $got .= $piece;
        }
    }
    must($got === $content, "it comes back");

    $stream = stream_socket_client("tcp://127.0.0.1:$port", $code, $text, 10);
    stream_set_timeout($stream, 0, 100000);
    must(fgets($stream) === false && stream_get_meta_data($stream)["timed_out"], "a time-out");
    stream_set_timeout($stream, 10);
    for ($i = 0; $i < 200; $i++) {
        fwrite($stream, "line $i\n");
        must(fgets($stream) === "line $i\n", "line $i");
    }
    echo "echoes: ", strlen($got), " by select, 200 lines\n";
}

[, $mode] = $argv;
$mode(...array_slice($argv, 2));
